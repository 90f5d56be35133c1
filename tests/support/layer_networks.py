"""Networks, batches and references for the tests of layer and neuron attributions."""

from __future__ import annotations

import torch
from builders import make_batch, normal
from torch import nn

from xaiexp.builtin.models.embeddings import FromEmbeddings

QUADRATURES = ["gausslegendre", "riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"]


class Smooth(nn.Module):
    """A smooth residual network: a shortcut bypasses ``inner``, none bypasses ``stem``."""

    def __init__(self):
        super().__init__()
        self.stem, self.inner, self.head = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        first = torch.tanh(self.stem(x))
        return self.head(torch.tanh(self.inner(first)) + first)


def smooth_network():
    torch.manual_seed(1)
    return Smooth().double().eval()


def three_rows():
    return make_batch(normal(3, 4, seed=1), torch.tensor([0, 2, 1]))


def three_references():
    return normal(3, 4, seed=2)


def parts(network, target):
    """For each layer of :class:`Smooth` the function from input to layer and that from layer to score."""

    def first(x):
        return torch.tanh(network.stem(x))

    return {
        "stem": (network.stem, lambda h, _: _after_stem(network, torch.tanh(h))[target]),
        "inner": (
            lambda x: network.inner(first(x)),
            lambda h, x: network.head(torch.tanh(h) + first(x))[target],
        ),
    }


def _after_stem(network, first):
    return network.head(torch.tanh(network.inner(first)) + first)


def bert():
    """A small BERT of transformers over embeddings, with texts of different lengths."""
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=12, num_labels=3, initializer_range=0.5, attn_implementation="eager",
    )  # fmt: skip
    network = FromEmbeddings(transformers.BertForSequenceClassification(config)).double().eval()
    x, mask = normal(3, 7, 8), torch.ones(3, 7, dtype=torch.int64)
    mask[1, 5:] = 0
    batch = make_batch(x, torch.tensor([2, 0, 1]), context={"attention_mask": mask}, modality="text")
    return network, batch, normal(3, 7, 8, seed=3)
