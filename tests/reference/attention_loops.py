"""Slow reference implementations of the attention methods in float64, as loops close to the papers.

They share no code with the package. ``layers[l][h][i][j]`` is the attention of query token i to key token j in head h
of layer l, for one example.
"""

from __future__ import annotations

from collections.abc import Sequence

Matrix = list[list[float]]


def _product(a: Matrix, b: Matrix) -> Matrix:
    n = len(a)
    return [[sum(a[i][k] * b[k][j] for k in range(n)) for j in range(n)] for i in range(n)]


def _mean_over_heads(heads: Sequence[Matrix]) -> Matrix:
    n = len(heads[0])
    return [[sum(head[i][j] for head in heads) / len(heads) for j in range(n)] for i in range(n)]


def _mean_row(matrix: Matrix, read: Sequence[int]) -> list[float]:
    return [sum(matrix[i][j] for i in read) / len(read) for j in range(len(matrix))]


def raw_attention(layers: Sequence[Sequence[Matrix]], read: Sequence[int]) -> list[float]:
    """The last layer's weights, averaged over heads, for the rows ``read``."""
    return _mean_row(_mean_over_heads(layers[-1]), read)


def rollout(
    layers: Sequence[Sequence[Matrix]], read: Sequence[int], fusion: str = "mean", residual: float = 0.5
) -> list[float]:
    """Abnar and Zuidema 2020: A = 0.5 W + 0.5 I with rows normalised to 1; the rollout is the product over layers."""
    n = len(layers[0][0])
    fuse = {"mean": lambda values: sum(values) / len(values), "max": max, "min": min}[fusion]
    total: Matrix = [[float(i == j) for j in range(n)] for i in range(n)]
    for heads in layers:
        step = []
        for i in range(n):
            row = [(1 - residual) * fuse([head[i][j] for head in heads]) + residual * (i == j) for j in range(n)]
            step.append([value / sum(row) for value in row])
        total = _product(step, total)
    return _mean_row(total, read)


def attention_x_gradient(
    layers: Sequence[Sequence[Matrix]],
    gradients: Sequence[Sequence[Matrix]],
    read: Sequence[int],
    positive: bool = False,
) -> list[float]:
    """The last layer's weights times their gradients, averaged over heads."""
    n = len(layers[0][0])
    products = [
        [[a[i][j] * g[i][j] if not positive else max(0.0, a[i][j] * g[i][j]) for j in range(n)] for i in range(n)]
        for a, g in zip(layers[-1], gradients[-1], strict=True)
    ]
    return _mean_row(_mean_over_heads(products), read)


def chefer(
    layers: Sequence[Sequence[Matrix]], gradients: Sequence[Sequence[Matrix]], read: Sequence[int]
) -> list[float]:
    """Chefer et al. 2021 (ICCV), equations 5 and 6; R starts as I, which is subtracted at the end."""
    n = len(layers[0][0])
    relevancy: Matrix = [[float(i == j) for j in range(n)] for i in range(n)]
    for heads, slopes in zip(layers, gradients, strict=True):
        positive = [
            [[max(0.0, a[i][j] * g[i][j]) for j in range(n)] for i in range(n)]
            for a, g in zip(heads, slopes, strict=True)
        ]
        gain = _product(_mean_over_heads(positive), relevancy)
        relevancy = [[relevancy[i][j] + gain[i][j] for j in range(n)] for i in range(n)]
    return _mean_row([[relevancy[i][j] - float(i == j) for j in range(n)] for i in range(n)], read)
