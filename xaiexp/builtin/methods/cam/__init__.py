"""Class activation maps of a convolutional or attention layer.

``grad_cam.py`` holds the components; ``cam_formulas.py`` the formulas from activations and gradients
``[B, K, h, w]`` to maps ``[B, h, w]``. The layer is found by ``inference/layers.py``.
"""

from __future__ import annotations

from xaiexp.builtin.methods.cam.grad_cam import EigenCam, GradCam, GradCamPlusPlus, GuidedGradCam, LayerCam, ScoreCam
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
