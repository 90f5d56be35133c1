"""Eigen-CAM: comparison with loops."""

from __future__ import annotations

import pytest
import torch
from attributions import explained, same
from builders import normal
from cam_networks import at_size, convolutional_network, four_images
from reference import cam_loops

from xaiexp.builtin.methods.cam import cam_formulas as cam_formulas
from xaiexp.builtin.methods.cam.eigen_cam import EigenCam

network = pytest.fixture(convolutional_network)
batch = pytest.fixture(four_images)


@pytest.mark.parametrize("at", [0, 1, 3, 4])
def test_eigen_cam_is_the_projection_on_the_first_eigenvector_with_positive_sum(network, batch, at):
    maps = [cam_loops.eigen_cam(a).clamp(min=0) for a in network[: at + 1](batch.inputs).detach()]
    same(explained(EigenCam(layer=str(at)), network, batch), at_size(maps, batch), 1e-7)


def test_eigen_cam_recovers_a_pattern_of_rank_one():
    pattern, channels = normal(1, 3, 4, seed=2).abs(), normal(1, 5, seed=3)
    activations = torch.einsum("nhw,nk->nkhw", pattern, channels)
    same(cam_formulas.eigen_map(activations), pattern * channels.norm())
    same(cam_formulas.eigen_map(-activations), pattern * channels.norm())
    assert not cam_formulas.eigen_map(torch.zeros(2, 3, 2, 2)).any()
