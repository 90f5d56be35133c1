"""The networks of the published results, with the names of their published weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xaiexp.builtin.publications.captum_max_pool import parameters

__all__ = [
    "CompasRegression",
    "HousePrices",
    "LinearFunction",
    "MaxPool",
    "SecondOrder",
    "Titanic",
    "compas_regression",
    "house_prices",
    "linear",
    "max_pool",
    "second_order",
    "titanic",
]


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


class MaxPool(nn.Module):
    """Linear 6-8, ReLU, max-pool over pairs of units, linear 4-1 without bias: it returns a value ``[N, 1]``."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.pool = nn.Linear(6, 8), nn.ReLU(), nn.MaxPool1d(2)
        self.last = nn.Linear(4, 1, bias=False)
        weights, biases, last = (torch.tensor(each) for each in parameters())
        with torch.no_grad():
            self.first.weight.copy_(weights)
            self.first.bias.copy_(biases)
            self.last.weight.copy_(last)

    def forward(self, x: Tensor) -> Tensor:
        """The ReLU's output is the max-pool's input, without a view between them."""
        out: Tensor = self.last(self.pool(self.relu(self.first(x).unsqueeze(1))).squeeze(1))
        return out


class SecondOrder(nn.Module):
    """x0 x2 + x1 + x2 + x2 x3 of five inputs: it returns a value ``[N, 1]``."""

    coefficients: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("coefficients", torch.ones(4))  # a network is known by its tensors

    def forward(self, x: Tensor) -> Tensor:
        """The function."""
        terms = torch.stack([x[:, 0] * x[:, 2], x[:, 1], x[:, 2], x[:, 2] * x[:, 3]], dim=1)
        out: Tensor = (terms * self.coefficients).sum(dim=1, keepdim=True)
        return out


class LinearFunction(nn.Module):
    """x0 + 2 x1 of three inputs: it returns a value ``[N, 1]``."""

    coefficients: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("coefficients", torch.tensor([1.0, 2.0, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        """The function."""
        out: Tensor = (x * self.coefficients).sum(dim=1, keepdim=True)
        return out


def titanic() -> nn.Module:
    """The network of ``captum/titanic``."""
    return Titanic()


def house_prices() -> nn.Module:
    """The network of ``captum/house_prices``."""
    return HousePrices()


def compas_regression() -> nn.Module:
    """The network of ``openxai/compas_lr``."""
    return CompasRegression()


def max_pool() -> nn.Module:
    """The network of ``captum/deep_lift_max_pool``."""
    return MaxPool()


def second_order() -> nn.Module:
    """The function of ``shap/second_order``."""
    return SecondOrder()


def linear() -> nn.Module:
    """The function of ``shap/linear``."""
    return LinearFunction()
