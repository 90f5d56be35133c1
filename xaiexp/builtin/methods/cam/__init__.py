"""Class activation maps of a convolutional or attention layer.

``grad_cam.py`` (maps from gradients), ``score_cam.py`` and ``eigen_cam.py`` hold the components; ``cam_base.py`` their
base class; ``cam_formulas.py`` the formulas from activations and gradients ``[B, K, h, w]`` to maps ``[B, h, w]``. The
layer is located by ``inference/layers.py``.
"""

from __future__ import annotations

from xaiexp.builtin.methods.cam.eigen_cam import EigenCam
from xaiexp.builtin.methods.cam.grad_cam import GradCam, GradCamPlusPlus, GuidedGradCam, LayerCam
from xaiexp.builtin.methods.cam.score_cam import ScoreCam
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    EigenCam,
    GradCam,
    GradCamPlusPlus,
    GuidedGradCam,
    LayerCam,
    ScoreCam,
)
