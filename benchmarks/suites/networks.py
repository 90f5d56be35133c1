"""The networks and inputs that are measured: real ones where the kit is at hand, else untrained ones and noise."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor, nn

__all__ = ["kit", "mobilenet", "photos", "table_network", "text_network"]


def kit() -> Path | None:
    """The folder of real models and data, ``$XAIEXP_KIT``; None where it is missing."""
    folder = Path(os.environ.get("XAIEXP_KIT", "../shared/kit"))
    return folder if (folder / "models").is_dir() else None


def mobilenet() -> tuple[nn.Module, str]:
    """MobileNetV2, and which weights it has."""
    from torchvision.models import mobilenet_v2

    torch.manual_seed(0)
    network, folder = mobilenet_v2(), kit()
    if folder is not None:
        file = folder / "models" / "mobilenet_v2_imagenet.pth"
        network.load_state_dict(torch.load(file, weights_only=True))
    return network.eval().requires_grad_(False), "untrained" if folder is None else "ImageNet weights"


def photos(count: int, side: int) -> Tensor:
    """Images ``[count, 3, side, side]`` as the network reads them."""
    folder = kit()
    if folder is None:
        return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1))
    from PIL import Image
    from torchvision.transforms import functional as transforms

    files = sorted(path for path in (folder / "photos").iterdir() if path.suffix.lower() in {".jpeg", ".jpg"})
    found = []
    for file in files[:count]:
        picture = Image.open(file).convert("RGB")
        cropped = transforms.center_crop(transforms.resize(picture, [side + side // 7]), [side, side])
        tensor = transforms.to_tensor(cropped)
        found.append(transforms.normalize(tensor, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return torch.stack(found)


class _Encoder(nn.Module):
    """A small encoder over token embeddings, as MiniLM: 6 layers of width 384."""

    def __init__(self, width: int = 384, layers: int = 6, heads: int = 12) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, batch_first=True, activation="gelu")
        self.encoder, self.head = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False), nn.Linear(width, 2)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Scores ``[N, 2]`` of ``embeddings [N, T, width]``."""
        out: Tensor = self.head(self.encoder(embeddings).mean(dim=1))
        return out


def text_network(tokens: int, count: int) -> tuple[nn.Module, Tensor]:
    """An untrained encoder of the size of MiniLM-L6, and embeddings of ``count`` texts."""
    torch.manual_seed(0)
    return _Encoder().eval().requires_grad_(False), torch.randn(count, tokens, 384)


def table_network(count: int) -> tuple[nn.Module, Tensor]:
    """A network of two hidden layers over 12 columns, and ``count`` rows."""
    torch.manual_seed(0)
    layers = (nn.Linear(12, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 3))
    return nn.Sequential(*layers).eval().requires_grad_(False), torch.rand(count, 12)
