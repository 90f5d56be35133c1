"""Nodes and weights of the quadrature rules."""

from __future__ import annotations

import numpy as np
import pytest

from xaiexp.builtin.methods.quadrature import quadrature


@pytest.mark.parametrize("method", ["riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"])
@pytest.mark.parametrize("n", [2, 5, 50])
def test_riemann_rules_equal_their_definitions(method, n):
    nodes, weights = quadrature(method, n)
    cells = [(k / n, (k + 1) / n) for k in range(n)]
    if method == "riemann_trapezoid":  # Captum's rule: the nodes of n - 1 cells with weights for n
        want = [(k / (n - 1), (0.5 if k in (0, n - 1) else 1.0) / n) for k in range(n)]
    else:
        offset = {"riemann_left": 0.0, "riemann_right": 1.0, "riemann_middle": 0.5}[method]
        want = [(a + offset * (b - a), b - a) for a, b in cells]
    np.testing.assert_allclose(nodes, [a for a, _ in want], atol=1e-12)
    np.testing.assert_allclose(weights, [w for _, w in want], atol=1e-12)


@pytest.mark.parametrize("n", [1, 3, 8])
def test_gauss_legendre_is_exact_for_polynomials_of_degree_2n_minus_1(n):
    nodes, weights = (np.array(v) for v in quadrature("gausslegendre", n))
    for degree in range(2 * n):
        assert float((weights * nodes**degree).sum()) == pytest.approx(1 / (degree + 1), rel=1e-12)
    assert float((weights * nodes ** (2 * n)).sum()) != pytest.approx(1 / (2 * n + 1), rel=1e-12)
