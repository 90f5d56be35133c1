"""The networks of the published results, with the names of their published weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["CompasRegression", "HousePrices", "Titanic", "compas_regression", "house_prices", "titanic"]


class Titanic(nn.Module):
    """Linear 12-12, sigmoid, 12-8, sigmoid, 8-2, softmax: it returns probabilities ``[N, 2]``."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1, self.linear2, self.linear3 = nn.Linear(12, 12), nn.Linear(12, 8), nn.Linear(8, 2)
        self.sigmoid1, self.sigmoid2, self.softmax = nn.Sigmoid(), nn.Sigmoid(), nn.Softmax(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities of dying and surviving."""
        hidden = self.sigmoid2(self.linear2(self.sigmoid1(self.linear1(x))))
        out: Tensor = self.softmax(self.linear3(hidden))
        return out


class HousePrices(nn.Module):
    """Linear 8-100, ReLU, 100-50, ReLU, 50-10, ReLU, 10-1: it returns a value ``[N, 1]``."""

    def __init__(self) -> None:
        super().__init__()
        self.lin1, self.lin2, self.lin3, self.lin4 = (
            nn.Linear(8, 100),
            nn.Linear(100, 50),
            nn.Linear(50, 10),
            nn.Linear(10, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """The median value of houses, in 100,000 dollars."""
        out: Tensor = self.lin4(self.lin3(self.lin2(self.lin1(x).relu()).relu()).relu())
        return out


class CompasRegression(nn.Module):
    """Logistic regression with two logits and a softmax: it returns probabilities ``[N, 2]``."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(7, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities of both classes."""
        return torch.softmax(self.linear(x), dim=1)


def titanic() -> nn.Module:
    """The network of ``captum/titanic``."""
    return Titanic()


def house_prices() -> nn.Module:
    """The network of ``captum/house_prices``."""
    return HousePrices()


def compas_regression() -> nn.Module:
    """The network of ``openxai/compas_lr``."""
    return CompasRegression()
