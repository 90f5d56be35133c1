"""Whole transformers, compared with a slow derivation in explicit relevances."""

from __future__ import annotations

import pytest

pytest.importorskip("xaiexp_lxt", reason="the distribution xaiexp-lxt is not installed")

import torch
import transformers

from . import lrp_slow
from .lxt_cases import close, decoder, encoder, explained, relevance_of

BOTH = pytest.mark.parametrize(("method", "through"), [("attn_lrp", True), ("cp_lrp", False)])
EPSILONS = pytest.mark.parametrize("epsilon", [0.0, 0.05])


def lists(module):
    return {name: tensor.double().tolist() for name, tensor in module.state_dict().items()}


@EPSILONS
@BOTH
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_an_encoder_equals_the_derivation(method, through, epsilon, implementation):
    module = encoder(transformers.BertConfig, implementation, num_hidden_layers=1)
    x = torch.randn(2, 3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    got = relevance_of(module, x, method, 1, epsilon=epsilon)
    tables = module.bert.embeddings
    constants = (tables.position_embeddings.weight[:3] + tables.token_type_embeddings.weight[0]).tolist()
    for row, mine in zip(x, got, strict=True):
        want, score = lrp_slow.bert(lists(module), row.tolist(), constants, 2, 1, epsilon, through, 1e-12)
        close(torch.tensor(score, dtype=x.dtype), explained(module, row[None])[0, 1])
        close(mine, torch.tensor(want, dtype=x.dtype))


@EPSILONS
@BOTH
@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_a_decoder_with_gates_and_rotary_positions_equals_the_derivation(method, through, epsilon, implementation):
    module = decoder(transformers.LlamaConfig, implementation, num_hidden_layers=1, num_key_value_heads=1)
    x = torch.randn(2, 4, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    got = relevance_of(module, x, method, 2, epsilon=epsilon)
    for row, mine in zip(x, got, strict=True):
        want, score = lrp_slow.llama(lists(module), row.tolist(), 2, 2, 2, epsilon, through, 1e-6)
        close(
            torch.tensor(score, dtype=x.dtype), explained(module, row[None])[0, 2], rtol=1e-5
        )  # its RMSNorm computes in float32
        close(mine, torch.tensor(want, dtype=x.dtype), rtol=1e-4)


@BOTH
def test_relevance_of_the_derivation_sums_to_the_score_without_biases_and_softmax(method, through):
    """The derivation conserves relevance where it should, so equality with it is no equality of two faults."""
    module = decoder(transformers.LlamaConfig, "eager", num_hidden_layers=1, num_key_value_heads=1)
    x = torch.randn(4, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).tolist()
    relevance, score = lrp_slow.llama(lists(module), x, 2, 2, 2, 0.0, through, 1e-6)
    missing = abs(sum(map(sum, relevance)) - score)
    assert missing < 1e-9 if not through else missing > 1e-3  # the softmax absorbs its bias
