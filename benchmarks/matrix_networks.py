"""The networks of the matrix, in float64, each with two inputs, features and baselines.

Photos, the weights of MobileNetV2, SqueezeNet and ResNet-20 and the encoder come from the test kit (``$XAIEXP_KIT``, or
``../shared/kit``); other networks have random weights from a fixed seed. MLP and 1-d conv do not need the kit.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from xaiexp.api.functions import components
from xaiexp.contract.kinds import Baseline, Features
from xaiexp.core.batches import Background, Batch
from xaiexp.core.samples import Encoded, LoadContext, Network, Sample
from xaiexp.engine.loader import background_of

KIT = Path(os.environ.get("XAIEXP_KIT", Path(__file__).parents[2] / "shared" / "kit"))
IMAGENET = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
PHOTOS = ("ILSVRC2012_val_00000180.JPEG", "ILSVRC2012_val_00000073.JPEG")


@dataclass(frozen=True)
class Case:
    """A network with inputs and components for the matrix.

    Args:
        module: the network, in float64 and eval mode.
        encoded: two inputs and their context.
        background: statistics of the data.
        features: the features; ``few`` are fewer ones, for exact Shapley values.
        baseline: for methods that read one reference; ``several`` for those that read a distribution.
        offers: what the network offers to methods.
        layer: a submodule without any shortcut around it.
    """

    module: nn.Module
    encoded: Encoded
    background: Background
    features: Features
    few: Features
    baseline: Baseline
    several: Baseline
    offers: frozenset[str]
    layer: str

    def batch(self, features: Features, rows: Tensor | None = None) -> Batch:
        """The two examples (or some of them), explained for class 0."""
        inputs = self.encoded.inputs
        batch = Batch(
            ids=tuple(f"example {i}" for i in range(len(inputs))),
            inputs=inputs,
            targets=torch.zeros(len(inputs), dtype=torch.int64),
            features=features.build(self.encoded),
            background=self.background,
            context=dict(self.encoded.context),
        )
        return batch if rows is None else batch.rows(rows)


def component(kind: str, name: str, **parameters: Any) -> Any:
    """An instance of a registered component."""
    return next(cls for cls in components(kind) if cls.name == name)(**parameters)


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """Random weights from a fixed seed, also for batch norms and for classifiers that are initialised with zeros."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = make()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                nn.init.normal_(part.running_mean, 0.0, 0.1)
                nn.init.uniform_(part.running_var, 0.5, 1.5)
            if isinstance(part, nn.Linear) and not part.weight.any():
                nn.init.normal_(part.weight, 0.0, 0.1)
    return module


class Cifar(nn.Module):
    """The ResNet-20 of He et al. 2016 for CIFAR-10, with shortcuts that have no weights (option A)."""

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.added_channels = outputs - inputs

        def forward(self, x: Tensor) -> Tensor:
            out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            short = (
                F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added_channels // 2, self.added_channels // 2))
                if self.added_channels
                else x
            )
            out += short
            return F.relu(out)

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        block = self.Block
        self.layer1 = nn.Sequential(*[block(16, 16, 1) for _ in range(3)])
        self.layer2 = nn.Sequential(block(16, 32, 2), block(32, 32, 1), block(32, 32, 1))
        self.layer3 = nn.Sequential(block(32, 64, 2), block(64, 64, 1), block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean(dim=(2, 3)))


def photos(side: int) -> Tensor:
    """Two photos of the kit, resized: ``[2, 3, side, side]`` in [0, 1]."""
    from PIL import Image
    from torchvision.transforms.functional import pil_to_tensor, resize

    rows = []
    for name in PHOTOS:
        with Image.open(KIT / "photos" / name) as photo:
            rows.append(resize(pil_to_tensor(photo.convert("RGB")).double() / 255, [side, side], antialias=True))
    return torch.stack(rows)


def image_case(module: nn.Module, inputs: Tensor, layer: str, *offers: str) -> Case:
    """A classifier of images ``inputs [2, 3, H, W]`` in [0, 1]."""
    module = module.double().eval().requires_grad_(False)
    mean, std = (statistic.double() for statistic in IMAGENET)
    encoded = Encoded((inputs - mean) / std)
    network = Network(module, lambda _: encoded, "image", mean=mean, std=std, low=0.0, high=1.0)
    return Case(
        module,
        encoded,
        background_of(encoded, network),
        component("features", "grid", rows=4, columns=4),
        component("features", "grid", rows=2, columns=3),
        component("baseline", "blur"),
        component("baseline", "uniform", n_references=3),
        frozenset({"gradients", "modules", *offers}),
        layer,
    )


def torchvision_case(arch: str, layer: str, *offers: str, weights: str = "", **options: Any) -> Case:
    """A torchvision architecture with random weights or weights of the kit."""
    module = seeded(lambda: getattr(torchvision.models, arch)(weights=None, **options))
    if weights:
        module.load_state_dict(torch.load(KIT / "models" / weights, weights_only=True))
    return image_case(module, photos(64), layer, *(offers or ("convolutions",)))


def cifar_case() -> Case:
    """The kit's ResNet-20 and two CIFAR-10 images."""
    import numpy as np

    module = Cifar()
    module.load_state_dict(torch.load(KIT / "models" / "resnet20_cifar10.pth", weights_only=True))
    with np.load(KIT / "arrays" / "cifar10_20.npz") as arrays:
        inputs = torch.from_numpy(arrays["x"][:2]).double() / 255
    return image_case(module, inputs, "layer2", "convolutions")


def bert_case() -> Case:
    """The kit's MiniLM over embeddings, with two sentences of different lengths."""
    import tempfile

    with tempfile.TemporaryDirectory() as cache:
        model = component("model", "transformers", path=str(KIT / "models" / "minilm_sst2"))
        network = model.load(LoadContext(Path(cache)))
    samples = [Sample("a", "a gripping and funny film ."), Sample("b", "it is dull , and far too long !")]
    encoded = network.encode(samples)
    encoded = replace(encoded, inputs=encoded.inputs.double())
    module = network.module.double().eval().requires_grad_(False)
    special = {name: row.double() for name, row in network.special.items()}
    pad, token = component("baseline", "pad_token"), component("features", "token")
    return Case(
        module,
        encoded,
        background_of(encoded, replace(network, special=special)),
        token,
        token,
        pad,
        pad,
        frozenset(model.offers),
        "model.bert.encoder.layer.2",
    )


def table_case() -> Case:
    """A fully connected network for tables with 10 columns."""
    module = seeded(lambda: nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3)))
    return _small(
        module, normal(4, 10), "table", component("features", "column"), component("features", "column"), "mean", "1"
    )


def series_case() -> Case:
    """Convolutions and pooling over time series of 2 channels and 64 steps."""
    module = seeded(
        lambda: nn.Sequential(
            nn.Conv1d(2, 8, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(8, 8, 5, padding=2), nn.ReLU(),
            nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(32, 3),
        )
    )  # fmt: skip
    windows = component("features", "window", size=8)
    return _small(module, normal(4, 2, 64).cumsum(dim=2) / 4, "series", windows, windows, "series_mean", "2")


def normal(*shape: int) -> Tensor:
    """Standard normal numbers from a fixed seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _small(
    module: nn.Module, data: Tensor, modality: Any, features: Features, few: Features, baseline: str, layer: str
) -> Case:
    """A case that explains the first two examples of ``data``, with all of them as the background."""
    module = module.double().eval().requires_grad_(False)
    network = Network(module, lambda _: Encoded(data), modality)
    return Case(
        module,
        Encoded(data[:2]),
        background_of(Encoded(data), network),
        features,
        few,
        component("baseline", baseline),
        component("baseline", "dataset_sample", n_references=3),
        frozenset({"gradients", "modules"}),
        layer,
    )


@dataclass(frozen=True)
class Column:
    """A column of the matrix.

    Args:
        title: header of the column.
        description: the network, in one line.
        make: builds the case.
        kit: whether it needs the test kit.
    """

    title: str
    description: str
    make: Callable[[], Case] = field(repr=False)
    kit: bool = True


NETWORKS: dict[str, Column] = {
    "mlp": Column("MLP", "10 columns, 3 linear layers, random weights", table_case, kit=False),
    "conv1d": Column("1-d conv", "2 channels of 64 steps, 2 convolutions, random weights", series_case, kit=False),
    "bert": Column("BERT", "the kit's MiniLM (6 layers) over embeddings", bert_case),
    "resnet20": Column("ResNet-20", "the kit's CIFAR weights, 32 x 32 pixels", cifar_case),
    "squeezenet": Column(
        "SqueezeNet",
        "squeezenet1_0 with the kit's ImageNet weights, 64 x 64 pixels",
        lambda: torchvision_case("squeezenet1_0", "features.6", weights="squeezenet1_0_imagenet.pth"),
    ),
    "mobilenet": Column(
        "MobileNetV2",
        "the kit's ImageNet weights, 64 x 64 pixels",
        lambda: torchvision_case("mobilenet_v2", "features.13", weights="mobilenet_v2_imagenet.pth"),
    ),
    "resnet18": Column(
        "ResNet-18", "random weights, 64 x 64 pixels", lambda: torchvision_case("resnet18", "layer3", num_classes=10)
    ),
    "vgg11": Column(
        "VGG-11", "random weights, 64 x 64 pixels", lambda: torchvision_case("vgg11", "features.10", num_classes=10)
    ),
    "densenet": Column(
        "DenseNet-121",
        "random weights, 64 x 64 pixels",
        lambda: torchvision_case("densenet121", "features.transition2", num_classes=10),
    ),
    "vit": Column(
        "ViT-B/16",
        "random weights, 64 x 64 pixels (16 patches)",
        lambda: torchvision_case(
            "vit_b_16", "encoder.layers.encoder_layer_5", "attention", num_classes=10, image_size=64
        ),
    ),
}
