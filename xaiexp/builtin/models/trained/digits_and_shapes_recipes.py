"""Recipes of the networks for the datasets ``digits`` and ``shapes``: architecture, training data, hyperparameters."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from xaiexp.builtin.models.trained.training import Data, Recipe
from xaiexp.builtin.shape_images import (
    CLASSES,
    DEFAULT_DISTRACTORS,
    DEFAULT_GROUND,
    DEFAULT_NOISE,
    DEFAULT_SEED,
    draw_shape_image,
)
from xaiexp.builtin.splits import Part, digits

__all__ = ["digits_cnn", "digits_mlp", "shapes_cnn"]


def digits_cnn() -> Recipe:
    """Three convolutions and two linear layers over ``[1, 8, 8]``; every ReLU is a module of its own."""

    def build() -> nn.Module:
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(1, 16, 3, padding=1),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(16, 32, 3, padding=1),
                relu2=nn.ReLU(),
                pool=nn.MaxPool2d(2),
                conv3=nn.Conv2d(32, 32, 3, padding=1),
                relu3=nn.ReLU(),
                flatten=nn.Flatten(),
                linear1=nn.Linear(32 * 4 * 4, 64),
                relu4=nn.ReLU(),
                linear2=nn.Linear(64, 10),
            )
        )

    return Recipe(build, _digits_data, epochs=20, decay=0.1)


def digits_mlp() -> Recipe:
    """Two hidden layers over ``[1, 8, 8]``."""

    def build() -> nn.Module:
        return nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                linear1=nn.Linear(64, 128),
                relu1=nn.ReLU(),
                linear2=nn.Linear(128, 64),
                relu2=nn.ReLU(),
                linear3=nn.Linear(64, 10),
            )
        )

    return Recipe(build, _digits_data, epochs=30)


def shapes_cnn(size: int) -> Recipe:
    """Three convolutions and two linear layers over standardised images ``[3, size, size]``."""

    def build() -> nn.Module:
        side = (size + 1) // 2 // 2 // 2  # after one convolution of stride 2 and two poolings
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 24, 5, stride=2, padding=2),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(24, 32, 3, padding=1),
                relu2=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv3=nn.Conv2d(32, 48, 3, padding=1),
                relu3=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                linear1=nn.Linear(48 * side * side, 64),
                relu4=nn.ReLU(),
                linear2=nn.Linear(64, len(CLASSES)),
            )
        )

    return Recipe(build, lambda: _shapes_data(size), epochs=6, rate=2e-3)


def _digits_data() -> Data:
    return Data(*_tensors(digits(held_out=False)), *_tensors(digits(held_out=True)), {})


def _tensors(part: Part) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(part.inputs), torch.from_numpy(part.labels)


def _shapes_data(size: int, train: int = 12288, held_out: int = 512) -> Data:
    """Images of part 1 of the generator for training, and the first images of ``dataset=shapes`` for testing."""

    def images_of(part: int, count: int) -> tuple[Tensor, Tensor]:
        images, labels = torch.empty(count, 3, size, size), torch.empty(count, dtype=torch.int64)
        for i in range(count):
            image, _, labels[i] = draw_shape_image(
                DEFAULT_SEED, i, size, DEFAULT_NOISE, DEFAULT_DISTRACTORS, DEFAULT_GROUND, part
            )
            images[i] = torch.from_numpy(image)
        return images, labels

    return _standardised(images_of(1, train), images_of(0, held_out), (0, 2, 3))


def _standardised(train: tuple[Tensor, Tensor], held_out: tuple[Tensor, Tensor], axes: tuple[int, ...]) -> Data:
    """Both parts standardised by mean and standard deviation of the training inputs over ``axes``."""
    mean, std = train[0].mean(axes, keepdim=True)[0], train[0].std(axes, keepdim=True)[0]
    return Data((train[0] - mean) / std, train[1], (held_out[0] - mean) / std, held_out[1], {"mean": mean, "std": std})
