"""Feature permutation: the change of the score when one feature takes its values from other examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.contract.kinds import Method
from xaiexp.core.batches import Batch
from xaiexp.core.explanations import Cost, Estimate
from xaiexp.core.parameters import Effort, Range
from xaiexp.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

    from xaiexp.core.draws import Draws
    from xaiexp.inference.passes import Handle

__all__ = ["FeaturePermutation"]


@dataclass(frozen=True)
class FeaturePermutation(Method):
    """``f(x) - f(x with the values of feature j from another example)``, averaged over background examples.

    Captum's FeaturePermutation shuffles a feature within a batch. Here every example draws ``n_samples`` background
    examples, so its attributions do not depend on the batch; all features use the same draws. Texts are not
    supported, because token positions do not correspond across examples.

    Args:
        n_samples: number of background examples, drawn with replacement; each costs d passes for d features.
    """

    summary = "the mean change of the score when one feature at a time takes its values from other examples"
    source = "Breiman 2001, Random Forests, section 10; Fisher et al. 2019, All Models are Wrong, equation 3; Captum"
    needs = frozenset[str]()
    precisions = ("fp32", "bf16", "fp16")  # no gradient that could underflow
    reads_baseline = False
    signed = True
    complete = False
    multiplied_by_inputs = True
    modalities = ("image", "table", "series")

    n_samples: Annotated[int, Range(1), Effort(3, 10, 40)] = 10

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Estimate:
        """See :meth:`xaiexp.contract.kinds.Method.attribute`.

        Raises:
            Unsupported: there are no background examples, or their shape differs from that of the inputs.
        """
        import torch

        from xaiexp.builtin.methods.perturbation.score_changes import feature_changes

        pool, features = batch.background.pool, batch.features
        if pool is None or not len(pool):
            raise Unsupported(
                "feature_permutation takes values from other examples, but there are none: pass background=, "
                "or use feature_ablation with a baseline"
            )
        if tuple(pool.shape[1:]) != batch.shape:
            raise Unsupported(
                f"feature_permutation needs inputs of one shape: the inputs are {list(batch.shape)}, "
                f"the background examples are {list(pool.shape[1:])}"
            )
        n, examples = self.n_samples, pool.to(batch.inputs)
        rows = rng.integers("row", len(pool), samples=range(n))
        changes = feature_changes(model, lambda owners, samples: examples[rows[owners, samples]], n).double()
        # Deviations from the first change: their standard deviation is exactly 0 where all changes are equal.
        deviations = changes - changes[:, :1]
        values = changes[:, 0] + deviations.mean(dim=1)
        if n == 1:
            errors = torch.full_like(values, float("nan")).masked_fill(~features.valid, 0.0)
        else:
            errors = deviations.std(dim=1) / n**0.5
        return Estimate(features.spread(values.to(batch.inputs.dtype)), errors.to(batch.inputs.dtype))

    def passes(self, shape: tuple[int, ...], d: int) -> Cost:
        """One for the input, and one for each feature and background example."""
        return Cost(1 + self.n_samples * d)
