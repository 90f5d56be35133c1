"""Captum's tutorial on house prices: the error of its network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from xaiexp.builtin.publications.tables import NETWORKS, read_table, table_study, write_table
from xaiexp.core.publications import Publication, PublishedFile, PublishedNumbers, Reproduced

__all__ = ["CaptumHousePrices"]


class CaptumHousePrices(Publication):
    """The root of the mean squared error on the test rows."""

    name = "captum/house_prices"
    title = "Captum, tutorial 'Interpreting a regression model: house prices'"
    source = "meta-pytorch/captum, tutorials/House_Prices_Regression_Interpret.ipynb"
    files = (
        PublishedFile(
            "california_housing_600.csv",
            "122b255d4c71e5bb2596fbd9cf90e60ca008baa47e744cfcef2017b04c0955da",
            54819,
            about="the first 600 rows of scikit-learn's fetch_california_housing",
        ),
        PublishedFile(
            "california_model.pt",
            "89a575eeb47142393497867df27cb2f7567093b10dd46a943fc14db258811c1c",
            28431,
            "https://raw.githubusercontent.com/meta-pytorch/captum/cda82854eb92848f052482bf316736a7ce4efa0d/"
            "tutorials/models/california_model.pt",
            "weights",
        ),
    )
    published = (PublishedNumbers("root mean squared error", ("test rows",), (0.65797454,), 5e-7, digits=8),)
    conventions = (
        "test rows: scikit-learn's train_test_split(test_size=0.3, random_state=0)",
        "computed in float32, whose rounding is 1e-7 of the value",
    )
    truth_tolerance: ClassVar[Mapping[str, float]] = {"root mean squared error": 5e-7}
    trust = (NETWORKS,)

    def overrides(self, files: Mapping[str, Path], folder: Path) -> Sequence[str]:
        """The test rows as a table."""
        from sklearn.model_selection import train_test_split

        rows = read_table(files["california_housing_600.csv"])
        _, test = train_test_split(list(range(len(rows))), test_size=0.3, random_state=0)
        names = list(rows[0])
        table = write_table(
            folder / "house_prices_test.csv",
            ["row", *names],
            [[row, *(rows[row][name] for name in names)] for row in test],
        )
        return [
            *table_study("house_prices", files["california_model.pt"], table, "MedHouseVal"),
            "dataset.label_kind=value",
            "task=regression",
            "target=0",
            "method=[integrated_gradients]",
        ]

    def ours(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """From the predictions of the study."""
        assert study.labels is not None  # noqa: S101  # every row of the table has a value
        error = study.predictions[:, 0].double() - study.labels.double().flatten()
        return {"root mean squared error": [float(error.pow(2).mean().sqrt())]}

    def truth(self, study: Reproduced) -> Mapping[str, Sequence[float]]:
        """The network in float64, without this package."""
        import torch

        assert study.labels is not None  # noqa: S101  # as above
        state = torch.load(study.files["california_model.pt"], weights_only=True)
        x = study.inputs.double()
        for k in (1, 2, 3, 4):
            x = x @ state[f"lin{k}.weight"].double().T + state[f"lin{k}.bias"].double()
            x = x.relu() if k < 4 else x
        error = x[:, 0] - study.labels.double().flatten()
        return {"root mean squared error": [float(error.pow(2).mean().sqrt())]}
