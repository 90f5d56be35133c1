"""Networks, batches and expected maps for the tests of class activation maps."""

from __future__ import annotations

import torch
from builders import make_batch, normal
from reference import cam_loops
from torch import nn


def convolutional_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3),
    ).double().eval()  # fmt: skip


def four_images():
    return make_batch(normal(4, 2, 8, 10, seed=1), torch.tensor([0, 2, 1, 2]))


def halves(network, batch, at):
    """The activations after module ``at`` and the gradients of the target scores there."""
    activations = network[: at + 1](batch.inputs).detach().requires_grad_()
    scores = network[at + 1 :](activations)[torch.arange(len(batch)), batch.targets]
    (gradients,) = torch.autograd.grad(scores.sum(), activations)
    return activations.detach(), gradients


def at_size(maps, batch):
    """The maps upsampled by loops to the input's size and repeated in every channel."""
    enlarged = torch.stack([cam_loops.bilinear(m, batch.shape[-2:]) for m in maps])
    return enlarged.unsqueeze(1).expand(-1, *batch.shape)


def vision_transformer():
    from torchvision.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    network = VisionTransformer(
        image_size=24, patch_size=6, num_layers=3, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=4
    )
    nn.init.normal_(network.heads.head.weight)  # torchvision initialises it with zeros
    return network.double().eval()


def tokens_of(network, module, x, targets):
    """Activations and gradients ``[N, T, D]`` of a module's output, by a separate hook."""
    outputs = []
    hook = module.register_forward_hook(lambda _m, _a, out: outputs.append(out))
    scores = network(x)
    hook.remove()
    scores = scores if isinstance(scores, torch.Tensor) else scores.logits
    (gradients,) = torch.autograd.grad(scores[torch.arange(len(x)), targets].sum(), outputs[-1])
    return outputs[-1].detach(), gradients


def as_grid(tokens, rows):
    """Tokens ``[T, D]`` with a class token as ``[D, rows, columns]``, one position at a time."""
    columns = (len(tokens) - 1) // rows
    out = torch.zeros(tokens.shape[1], rows, columns, dtype=tokens.dtype)
    for t in range(1, len(tokens)):
        out[:, (t - 1) // columns, (t - 1) % columns] = tokens[t]
    return out
