"""Published results that ``xaiexp reproduce`` repeats, a module each; ``networks`` has their networks."""

from __future__ import annotations

from xaiexp.builtin.publications.captum_house_prices import CaptumHousePrices
from xaiexp.builtin.publications.captum_max_pool import CaptumMaxPool
from xaiexp.builtin.publications.captum_titanic import CaptumTitanic
from xaiexp.builtin.publications.openxai_compas import OpenxaiCompas
from xaiexp.builtin.publications.shap_tests import ShapLinear, ShapSecondOrder
from xaiexp.core.publications import Publication

__all__ = ["PUBLICATIONS"]

PUBLICATIONS: tuple[Publication, ...] = (
    CaptumHousePrices(),
    CaptumMaxPool(),
    CaptumTitanic(),
    OpenxaiCompas(),
    ShapLinear(),
    ShapSecondOrder(),
)
