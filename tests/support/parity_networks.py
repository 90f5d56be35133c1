"""Networks for the comparison with Captum: its test networks and four real architectures.

An entry may define equivalent copies of its network with modules that Captum can hook.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
import torchvision
from captum.testing.helpers import basic_models
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock


@dataclass(frozen=True)
class Entry:
    """A network, and copies of it for Captum.

    Args:
        make: makes the network.
        shape: shape of one input.
        classes: number of targets.
        deep: makes an equivalent copy with one module for every nonlinearity, for Captum's DeepLIFT; by default the
            network itself.
        rectified: makes an equivalent copy with one module for every ReLU, for Captum's guided backpropagation.
        unsupported: methods without a rule for this network, with a part of their message.
        scale: scale of the inputs.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    classes: int
    deep: Callable[[nn.Module], nn.Module] = lambda network: network
    rectified: Callable[[nn.Module], nn.Module] = lambda network: network
    unsupported: dict[str, str] = field(default_factory=dict)
    scale: float = 2.0


NO_RELU = dict.fromkeys(("guided_backprop", "deconvolution"), "the network runs none")


class Separator(nn.Module):
    """Separates two nonlinear modules: Captum 0.9 overwrites the hook of one if they follow each other."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 1


class Split(nn.Module):
    """Splits one input ``[N, F]`` into the inputs of a network."""

    def __init__(self, network: nn.Module, parts: int, *extra: object) -> None:
        super().__init__()
        self.network, self.parts, self.extra = network, parts, extra

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(*x.chunk(self.parts, dim=1), *self.extra)
        return out


class Rows(nn.Module):
    """Flattens the output of a network to ``[N, classes]``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(x).flatten(1)
        return out


class Model1(nn.Module):
    """``BasicModel`` with a module."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return 1 - self.relu(1 - x)


class Model23(nn.Module):
    """``BasicModel2`` and ``BasicModel3`` with modules."""

    def __init__(self, shift: float, offset: float) -> None:
        super().__init__()
        self.shift, self.offset = shift, offset
        self.one, self.two, self.last = nn.ReLU(), nn.ReLU(), nn.ReLU()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.last(self.one(a - self.shift) - self.offset - self.two(b))


class Model6(nn.Module):
    """``BasicModel6_MultiTensor`` with a module."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return 1 - self.relu(1 - (a + b))[:, 1]


class WithoutReuse(nn.Module):
    """``BasicModelWithReusedModules`` and ``BasicModelWithReusedLinear`` with a separate ReLU for each use."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.first, self.second = network.lin1, getattr(network, "lin2", network.lin1)
        self.one, self.two = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.second(self.one(self.first(x))))


class SeparatedPool(nn.Module):
    """``BasicModel_MaxPool_ReLU`` with a separator between its two modules."""

    def __init__(self, _: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.MaxPool1d(3), Separator(), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).sum(dim=1)


def pools_apart(network: nn.Module) -> nn.Module:
    """A ``BasicModel_ConvNet``... whose ReLUs and pools do not follow each other."""
    network = copy.deepcopy(network)
    for name in ("pool1", "pool2"):
        setattr(network, name, nn.Sequential(Separator(), getattr(network, name)))
    return network


def without_softmax(name: str) -> Callable[[], nn.Module]:
    """One of the ``BasicModel_ConvNet``... as far as its logits."""

    def make() -> nn.Module:
        network = getattr(basic_models, name)()
        network.softmax = nn.Identity()
        return network

    return make


class LeNet(nn.Module):
    """The LeNet of the kit, trained on MNIST; one ReLU and one pool for all layers, in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_1, self.conv_2 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.fc_1, self.fc_2, self.fc_3 = nn.Linear(256, 120), nn.Linear(120, 84), nn.Linear(84, 10)
        self.relu, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv_1(x)))
        x = self.pool(F.relu(self.conv_2(x))).flatten(1)
        return self.fc_3(self.relu(self.fc_2(torch.relu(self.fc_1(x)))))


def lenet_of_modules(network: nn.Module) -> nn.Module:
    """The same with a separate module for each use."""
    return nn.Sequential(
        network.conv_1, nn.ReLU(), Separator(), nn.MaxPool2d(2),
        network.conv_2, nn.ReLU(), Separator(), nn.MaxPool2d(2),
        nn.Flatten(), network.fc_1, nn.ReLU(), network.fc_2, nn.ReLU(), network.fc_3,
    )  # fmt: skip


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A network of torchvision with random weights, and batch normalisation with statistics other than 0 and 1."""
    torch.manual_seed(0)
    network = make()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.1)
    return network


class Block(nn.Module):
    """torchvision's ``BasicBlock`` with two ReLUs, out of place."""

    def __init__(self, block: BasicBlock) -> None:
        super().__init__()
        self.below = nn.Sequential(block.conv1, block.bn1, nn.ReLU(), block.conv2, block.bn2)
        self.aside = block.downsample if block.downsample is not None else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.below(x) + self.aside(x))


def resnet18() -> nn.Module:
    return seeded(lambda: torchvision.models.resnet18(weights=None, num_classes=10))


class WindowPool(nn.Module):
    """The max-pool of ResNet's stem with unfolded windows, as Captum's rule is incomplete for overlapping ones.

    After a ReLU, padding with zeros does not change a maximum.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool1d(9)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        windows = F.unfold(x, 3, padding=1, stride=2).view(n, c, 9, -1).transpose(2, 3).flatten(2)
        out: Tensor = self.pool(windows).view(n, c, (h + 1) // 2, (w + 1) // 2)
        return out


def resnet18_of_modules(network: nn.Module, pool: type[nn.Module] | None = None) -> nn.Module:
    """The same with a separate module for each use, and optionally another pool."""
    network = copy.deepcopy(network)
    blocks = [Block(b) for layer in (network.layer1, network.layer2, network.layer3, network.layer4) for b in layer]
    stem = (network.conv1, network.bn1, nn.ReLU(), network.maxpool if pool is None else pool())
    return nn.Sequential(*stem, *blocks, network.avgpool, nn.Flatten(), network.fc)


class TwoRelus(nn.Module):
    """ReLU6 as the difference of two ReLUs, whose rescale multipliers agree.

    Each of them gets a tensor of its own: Captum replaces the whole gradient of a module's input, also what comes
    from elsewhere.
    """

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x * 1) - self.two(x - 6)


class Capped(nn.Module):
    """ReLU6 as a ReLU and a clamp."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x).clamp(max=6)


def mobilenet_v2() -> nn.Module:
    """With weights large enough that activations exceed the upper bound of ReLU6."""
    network = seeded(lambda: torchvision.models.mobilenet_v2(weights=None, num_classes=10))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data *= 2
    return network


def with_relu6(rectifier: type[nn.Module]) -> Callable[[nn.Module], nn.Module]:
    """Replaces every ReLU6 by another module."""

    def exchange(network: nn.Module) -> nn.Module:
        network = copy.deepcopy(network)
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.ReLU6):
                    setattr(module, name, rectifier())
        return network

    return exchange


class Bert(nn.Module):
    """A BERT-like classifier of token embeddings ``[N, T, D]``."""

    def __init__(self) -> None:
        from transformers import BertConfig, BertForSequenceClassification

        super().__init__()
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=20, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            max_position_embeddings=16, num_labels=3, initializer_range=0.4, attn_implementation="eager",
        )  # fmt: skip
        self.network = BertForSequenceClassification(config)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(inputs_embeds=x).logits
        return out


def _toy(name: str, *args: object, **options: object) -> Callable[[], nn.Module]:
    return lambda: getattr(basic_models, name)(*args, **options)


def _split(name: str, parts: int, *extra: object, **options: object) -> Callable[[], nn.Module]:
    return lambda: Split(getattr(basic_models, name)(**options), parts, *extra)


def _both(copied: Callable[[nn.Module], nn.Module]) -> dict[str, Callable[[nn.Module], nn.Module]]:
    return {"deep": copied, "rectified": copied}


def _in(model: Callable[[], nn.Module], parts: int) -> dict[str, Callable[[nn.Module], nn.Module]]:
    return _both(lambda _: Split(model(), parts))


class Seven(nn.Module):
    """``BasicLinearModel`` of one input."""

    def __init__(self) -> None:
        super().__init__()
        self.network = basic_models.BasicLinearModel()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(x[:, :3], x[:, 3:])
        return out


# Left out: networks of integers, futures, dictionaries or sparse tensors, and those that draw weights when they run.
TOYS: dict[str, Entry] = {
    "BasicModel": Entry(_toy("BasicModel"), (3,), 3, **_both(lambda _: Model1())),
    "BasicModel2": Entry(_split("BasicModel2", 2), (6,), 3, **_in(lambda: Model23(0.0, 1.0), 2), scale=5.0),
    "BasicModel3": Entry(_split("BasicModel3", 2), (6,), 3, **_in(lambda: Model23(1.0, 0.0), 2), scale=5.0),
    "BasicModel6": Entry(_split("BasicModel6_MultiTensor", 2), (6,), 1, **_in(Model6, 2)),
    "BasicLinearModel": Entry(Seven, (7,), 1, unsupported=NO_RELU),
    "BasicLinearModel2": Entry(_toy("BasicLinearModel2", 5, 3), (5,), 3, unsupported=NO_RELU),
    "BasicLinearModel_Multilayer": Entry(_toy("BasicLinearModel_Multilayer", 5, 4, 3), (5,), 3, unsupported=NO_RELU),
    "BasicLinearReLULinear": Entry(_toy("BasicLinearReLULinear", 5), (5,), 1),
    "ReLUDeepLiftModel": Entry(_split("ReLUDeepLiftModel", 2), (6,), 3),
    "TanhDeepLiftModel": Entry(_split("TanhDeepLiftModel", 2), (6,), 3, unsupported=NO_RELU),
    "LinearMaxPoolLinearModel": Entry(_toy("LinearMaxPoolLinearModel"), (4,), 1, unsupported=NO_RELU),
    "ReusedModules": Entry(_toy("BasicModelWithReusedModules"), (3,), 2, **_both(WithoutReuse)),
    "ReusedLinear": Entry(_toy("BasicModelWithReusedLinear"), (3,), 3, **_both(WithoutReuse)),
    "MaxPool_ReLU": Entry(_toy("BasicModel_MaxPool_ReLU"), (2, 9), 3, deep=SeparatedPool),
    "MaxPool_ReLU in place": Entry(_toy("BasicModel_MaxPool_ReLU", inplace=True), (2, 9), 3, deep=SeparatedPool),
    "ReLULinearModel": Entry(_split("ReLULinearModel", 2), (6,), 1),
    "ReLULinearModel in place": Entry(_split("ReLULinearModel", 2, inplace=True), (6,), 1),
    "SimpleLRPModel": Entry(_toy("SimpleLRPModel", inplace=False), (3,), 1),
    "SimpleLRPModel in place": Entry(_toy("SimpleLRPModel", inplace=True), (3,), 1),
    "Conv1dSeqModel": Entry(lambda: Rows(basic_models.Conv1dSeqModel()), (4, 1000), 2),
    "MultiLayer": Entry(_toy("BasicModel_MultiLayer"), (3,), 2, scale=5.0),
    "MultiLayer in place": Entry(_toy("BasicModel_MultiLayer", inplace=True), (3,), 2, scale=5.0),
    "MultiLayer of two ReLUs": Entry(_toy("BasicModel_MultiLayer", multi_input_module=True), (3,), 2, scale=5.0),
    "MultiInput": Entry(_split("BasicModel_MultiLayer_MultiInput", 3, 2), (9,), 2, scale=5.0),
    "TrueMultiInput": Entry(_split("BasicModel_MultiLayer_TrueMultiInput", 4), (12,), 2, scale=5.0),
    "ConvNet_One_Conv": Entry(_toy("BasicModel_ConvNet_One_Conv"), (1, 4, 4), 4),
    "ConvNet_One_Conv in place": Entry(_toy("BasicModel_ConvNet_One_Conv", inplace=True), (1, 4, 4), 4),
    "PaddingDilation": Entry(_toy("BasicModel_ConvNetWithPaddingDilation"), (1, 5, 5), 4),
    "PaddingDilation in place": Entry(_toy("BasicModel_ConvNetWithPaddingDilation", inplace=True), (1, 5, 5), 4),
    "ConvNet": Entry(without_softmax("BasicModel_ConvNet"), (1, 10, 10), 10, deep=pools_apart),
    "ConvNet of series": Entry(without_softmax("BasicModel_ConvNet_MaxPool1d"), (1, 10), 10, deep=pools_apart),
    "ConvNet of volumes": Entry(without_softmax("BasicModel_ConvNet_MaxPool3d"), (1, 10, 10, 10), 10, deep=pools_apart),
}
REAL: dict[str, Entry] = {
    "LeNet": Entry(LeNet, (1, 28, 28), 10, **_both(lenet_of_modules), scale=1.0),
    "ResNet-18": Entry(
        resnet18,
        (3, 32, 32),
        10,
        deep=lambda network: resnet18_of_modules(network, WindowPool),
        rectified=resnet18_of_modules,
        scale=1.0,
    ),
    "MobileNetV2": Entry(
        mobilenet_v2, (3, 32, 32), 10, deep=with_relu6(TwoRelus), rectified=with_relu6(Capped), scale=1.0
    ),
    "BERT": Entry(
        Bert,
        (6, 16),
        3,
        unsupported={
            "deep_lift": "'layer_norm' in 'network.bert.embeddings.LayerNorm' .LayerNorm",
            "deep_lift_shap": "'layer_norm' in 'network.bert.embeddings.LayerNorm' .LayerNorm",
            "guided_backprop": "'gelu' in 'network.bert.encoder.layer.0.intermediate.*' .GELU",
            "deconvolution": "'gelu' in 'network.bert.encoder.layer.0.intermediate.*' .GELU",
        },
        scale=1.0,
    ),
}
