"""The fill of a removal for a batch.

The fill is the same for every explanation of a study and independent of the cell's baseline.
"""

from __future__ import annotations

import torch
from torch import Tensor

from xaiexp.builtin.removals.choice import RemovalChoice, removal_of
from xaiexp.contract.removal import Fill
from xaiexp.core.batches import Batch
from xaiexp.core.draws import Draws
from xaiexp.core.vocabulary import BACKGROUND_PARTS, plural
from xaiexp.errors import Unsupported

__all__ = ["fill_for", "removed_inputs"]


def fill_for(removal: RemovalChoice, batch: Batch, rng: Draws) -> Fill:
    """The fill of a removal for this batch.

    Raises:
        Unsupported: the removal does not support these inputs, or the background lacks data that it needs.
    """
    chosen, background = removal_of(removal), batch.background
    if background.modality not in chosen.modalities:
        kinds = " and ".join(map(plural, chosen.modalities))
        raise Unsupported(
            f"removal {chosen.name!r} is for {kinds}; the inputs are {plural(background.modality)}: use removal 'zero'"
        )
    known = {"pool": background.pool is not None and len(background.pool) > 0}
    for part in BACKGROUND_PARTS[1:]:
        value = getattr(background, part)
        known[part] = bool(value) if part == "special" else value is not None
    lacking = [part for part in BACKGROUND_PARTS if part in chosen.needs and not known[part]]
    if lacking:
        raise Unsupported(
            f"removal {chosen.name!r} needs {', '.join(lacking)} of the data, which are not known: give background=, "
            "or use removal 'zero'"
        )
    return chosen.fill(batch, rng.within("removal"))


def removed_inputs(removal: RemovalChoice, batch: Batch, rng: Draws) -> Tensor:
    """The inputs with all their features removed, ``[N, *shape]``; elements of no feature keep their values.

    Raises:
        Unsupported: as :func:`fill_for`.
    """
    fill = fill_for(removal, batch, rng)
    if fill.reference is not None:
        return fill.reference
    examples = torch.arange(len(batch), device=batch.device)
    return fill(examples, torch.zeros(len(batch), batch.features.d, dtype=torch.bool, device=batch.device))
