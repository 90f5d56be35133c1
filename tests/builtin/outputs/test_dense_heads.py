"""Outputs of segmentations and detections, against loops over pixels and boxes, and torchvision's own networks."""

from __future__ import annotations

import pytest
import torch
from builders import normal

import xaiexp
from xaiexp.builtin.outputs.dense_heads import Detection, Segmentation
from xaiexp.errors import MismatchError, XaiexpError

MAPS = normal(2, 3, 4, 5, seed=2)


def sums_over_own_pixels(maps):
    n, k, h, w = maps.shape
    sums = torch.zeros(n, k, dtype=maps.dtype)
    for i in range(n):
        for y in range(h):
            for x in range(w):
                best = max(range(k), key=lambda c: float(maps[i, c, y, x]))
                sums[i, best] += maps[i, best, y, x]
    return sums


@pytest.mark.parametrize("returned", [MAPS, {"out": MAPS, "aux": MAPS * 2}], ids=["tensor", "mapping"])
def test_segmentation_sums_a_class_over_the_pixels_predicted_as_it(returned):
    torch.testing.assert_close(Segmentation().read(returned), sums_over_own_pixels(MAPS))


def test_segmentation_of_a_linear_map_has_the_gradient_of_its_own_pixels():
    weight = normal(3, 1, 1, 1, seed=4)
    x = normal(1, 1, 6, 6, seed=5)
    maps = torch.nn.functional.conv2d(x, weight)
    got = xaiexp.attribute(
        lambda v: torch.nn.functional.conv2d(v, weight), x, "saliency", target=1, output="segmentation", absolute=False
    )
    torch.testing.assert_close(got[0, 0], (maps.argmax(1)[0] == 1) * weight[1].squeeze())


@pytest.mark.parametrize("returned", [normal(2, 3), {"aux": MAPS}, [MAPS]], ids=["classes", "no out", "list"])
def test_segmentation_refuses_other_heads(returned):
    with pytest.raises(MismatchError, match=r"output\.segmentation"):
        Segmentation().read(returned)


FOUND = [
    {
        "boxes": torch.tensor([[0.0, 0, 4, 4], [0.0, 0, 2, 4], [5.0, 5, 9, 9]]),
        "labels": torch.tensor([1, 1, 2]),
        "scores": torch.tensor([0.5, 0.75, 0.25]),
    },
    {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64), "scores": torch.zeros(0)},
]


def test_detection_is_the_best_score_of_a_class():
    assert Detection(classes=4).read(FOUND).tolist() == [[0, 0.75, 0.25, 0], [0, 0, 0, 0]]


def test_detection_of_a_box_weighs_scores_by_the_overlap():
    boxed = Detection(box=(0, 0, 4, 4), overlap=0.5, classes=3)
    assert boxed.read(FOUND).tolist() == [[0, 0.5, 0], [0, 0, 0]]  # 0.5 * 1 beats 0.75 * 1/2
    assert Detection(box=(0, 0, 4, 4), overlap=0.6, classes=3).read(FOUND[:1]).tolist() == [[0, 0.5, 0]]
    assert Detection(box=(20, 20, 24, 24), classes=3).read(FOUND[:1]).tolist() == [[0, 0, 0]]


def test_detection_refuses_labels_beyond_its_classes_and_other_heads():
    with pytest.raises(MismatchError, match="above the largest label, 2"):
        Detection(classes=2).read(FOUND)
    with pytest.raises(MismatchError, match=r"output\.detection"):
        Detection().read(MAPS)
    with pytest.raises(MismatchError, match=r"detection\.box"):
        Detection(box=(4, 0, 0, 4))


def test_torchvision_networks_need_no_wrapper():
    from torchvision.models import segmentation

    torch.manual_seed(0)
    network = segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4).eval()
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = network(x)["out"]
    target = int(maps.argmax(1).flatten().mode().values)
    got = xaiexp.attribute(
        network, x, "occlusion", target=target, output="segmentation", sliding_window_shapes=(3, 8, 8)
    )
    assert got.abs().max() > 0
    with pytest.raises(XaiexpError, match="output=segmentation"):
        xaiexp.attribute(network, x, "saliency", target=0)


def test_a_torchvision_detector_is_explained_at_the_score_of_its_best_box():
    from torchvision.models import detection

    torch.manual_seed(0)
    network = detection.ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=3, score_thresh=0.0
    ).eval()
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        (found,) = network(x)
    target = int(found["labels"][0])
    leaf = x.clone().requires_grad_()
    (want,) = torch.autograd.grad(network(leaf)[0]["scores"][0], leaf)
    output = Detection(classes=3)
    got = xaiexp.attribute(network, x, "saliency", target=target, output=output, absolute=False)
    torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-7)
