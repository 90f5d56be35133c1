from __future__ import annotations

import pytest
import torch

from xaiexp.statistics.reliability import reliability

ALL = torch.ones(1, 4, dtype=torch.bool)


def test_reliability_is_the_correlation_of_two_independent_runs():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(1, 20000, generator=generator)
    error = torch.full_like(truth, 0.8)
    runs = [truth + error * torch.randn(truth.shape, generator=generator) for _ in range(2)]
    correlation = float(torch.corrcoef(torch.cat(runs))[0, 1])
    assert reliability(runs[0], error, torch.ones(1, 20000, dtype=torch.bool)).item() == pytest.approx(
        correlation, abs=0.02
    )


def test_reliability_is_one_without_error_and_zero_where_noise_exceeds_the_variance():
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert reliability(values, torch.zeros(1, 4), ALL).tolist() == [1.0]
    assert reliability(values, torch.full((1, 4), 9.0), ALL).tolist() == [0.0]


def test_columns_that_are_not_features_are_ignored():
    values, error = torch.tensor([[1.0, 2.0, 4.0, 99.0]]), torch.tensor([[0.5, 0.5, 0.5, float("nan")]])
    valid = torch.tensor([[True, True, True, False]])
    expected = reliability(values[:, :3], error[:, :3], valid[:, :3])
    assert reliability(values, error, valid).tolist() == expected.tolist()


def test_reliability_is_nan_for_one_feature_equal_values_or_an_unknown_error():
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0], [1.0, 2.0, 3.0, 4.0]])
    error = torch.full((3, 4), 0.1)
    error[2, 1] = float("nan")
    valid = ALL.repeat(3, 1)
    valid[0, 1:] = False
    assert reliability(values, error, valid).isnan().all()
