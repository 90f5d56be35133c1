from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from scipy import stats

from xaiexp.core import draws
from xaiexp.core.draws import Draws

IDS = tuple(f"photo {i}" for i in range(50))


def test_uniform_numbers_are_uniform():
    numbers = Draws(0, IDS).uniform("x", (1000,)).flatten().numpy()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert stats.kstest(numbers, "uniform").pvalue > 1e-3


def test_normal_numbers_are_normal():
    numbers = Draws(0, IDS).normal("x", (1000,)).flatten().numpy()
    assert np.isfinite(numbers).all()
    assert stats.kstest(numbers, "norm").pvalue > 1e-3


def test_integers_are_uniform_over_their_range():
    numbers = Draws(0, IDS).integers("x", 7, (1000,)).flatten().numpy()
    assert stats.chisquare(np.bincount(numbers, minlength=7)).pvalue > 1e-3


@pytest.mark.parametrize("axis", ["examples", "samples", "positions", "names", "seeds"])
def test_neighbouring_sequences_are_uncorrelated(axis):
    n = 4000
    rows = {
        "examples": Draws(0, tuple(map(str, range(20)))).uniform("x", (n,)),
        "samples": Draws(0, ("a",)).uniform("x", (n,), range(20))[0],
        "positions": Draws(0, tuple(map(str, range(n)))).uniform("x", (20,)).T,
        "names": torch.cat([Draws(0, ("a",)).uniform(f"x{k}", (n,)) for k in range(20)]),
        "seeds": torch.cat([Draws(k, ("a",)).uniform("x", (n,)) for k in range(20)]),
    }[axis]
    correlation = torch.corrcoef(rows).fill_diagonal_(0).abs().max()
    assert correlation < 5 / n**0.5


def test_draws_of_an_example_are_independent_of_batch_and_chunking():
    batch = Draws(3, IDS).normal("x", (4, 5), range(30))
    alone = Draws(3, IDS[7:8]).normal("x", (4, 5), range(30))
    chunk = Draws(3, (IDS[9], IDS[7])).normal("x", (4, 5), range(11, 13))
    assert torch.equal(batch[7], alone[0])
    assert torch.equal(batch[7, 11:13], chunk[1])


def test_padding_the_first_axis_does_not_change_earlier_positions():
    short, long = (Draws(3, IDS[:2]).uniform("x", (t, 6), range(3)) for t in (4, 9))
    assert torch.equal(short, long[:, :, :4])


def test_draws_are_independent_of_the_internal_chunk_size(monkeypatch):
    whole = Draws(3, IDS[:3]).normal("x", (5, 4), range(4))
    for size in (3, 20, 50):
        monkeypatch.setattr(draws, "_CHUNK", size)
        assert torch.equal(Draws(3, IDS[:3]).normal("x", (5, 4), range(4)), whole)


def test_scopes_names_and_seeds_draw_different_numbers():
    draws = Draws(0, ("a",))
    others = [draws.within("s").uniform("x", (9,)), draws.uniform("y", (9,)), Draws(1, ("a",)).uniform("x", (9,))]
    assert not any(torch.equal(draws.uniform("x", (9,)), other) for other in others)


def test_the_global_generator_is_unchanged():
    before = torch.random.get_rng_state()
    Draws(0, IDS).normal("x", (3,))
    assert torch.equal(before, torch.random.get_rng_state())


def test_examples_are_hashed_once_for_each_name(monkeypatch):
    hashed = []
    original = draws._digest

    def digest(seed, example, name):
        hashed.append((example, name))
        return original(seed, example, name)

    monkeypatch.setattr(draws, "_digest", digest)
    some = Draws(3, IDS)
    whole = some.normal("x", (2,), range(12))
    parts = [some.normal("x", (2,), range(start, start + 3)) for start in range(0, 12, 3)]
    assert torch.equal(torch.cat(parts, dim=1), whole)
    assert len(hashed) == len(set(hashed)) == 2 * len(IDS)


def test_numbers_are_those_of_the_keys_of_each_example():
    """A slow derivation with Python's integers: stored results depend on these numbers."""

    def mixed(x):
        x ^= x >> 16
        x = x * 0x21F0AAAD % 2**32
        x ^= x >> 15
        x = x * 0xD35A2D97 % 2**32
        return x ^ x >> 15

    def number(example, sample, position):
        digest = hashlib.blake2b(f"3\x1f{example}\x1fscope/x".encode(), digest_size=8).digest()
        one, other = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")
        first = mixed((mixed(sample ^ one) + other) % 2**32)
        second = mixed((mixed(sample ^ other) + first) % 2**32)
        return (mixed((mixed(position ^ first) + second) % 2**32) >> 8) / 2**24

    got = Draws(3, IDS, scope="scope").uniform("x", (5,), range(7, 9))
    for i, example in enumerate(IDS):
        for sample in (7, 8):
            assert got[i, sample - 7].tolist() == [number(example, sample, position) for position in range(5)]
