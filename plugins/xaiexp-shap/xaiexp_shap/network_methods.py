"""shap's explainers of networks: by gradients, and by the modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from xaiexp.plugin import Batch, Block, Draws, Effort, Handle, Method, Range, Unsupported

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Deep", "Gradient"]


@dataclass(frozen=True)
class Gradient(Method):
    """Expected gradients between random references and the input, by shap's ``GradientExplainer``.

    shap keeps the points in float32, also where the network computes in float64. Beside the samples, it costs a forward
    pass for each reference.

    Args:
        nsamples: number of points, each of a random reference and a random place between it and the input.
        local_smoothing: standard deviation of the noise that is added to the input, in model space.
    """

    name = "shap_gradient"
    summary = "gradients at random points between the references and the input (shap)"
    source = (
        "Erion et al. 2021, Improving performance of deep learning models with axiomatic attribution priors, eq. 3; "
        "shap.GradientExplainer"
    )
    needs = frozenset({"gradients"})
    reads_baseline = True
    reads_distribution = True
    signed = True
    complete = False
    multiplied_by_inputs = True

    nsamples: Annotated[int, Range(1), Effort(50, 200, 1000)] = 200
    local_smoothing: Annotated[float, Range(0)] = 0.0

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`."""
        import torch

        from xaiexp_shap.calls import by_example, library, quiet
        from xaiexp_shap.modules import ExampleModule

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        shap = library()
        budget = max(1, model.passes.budget(batch.shape))

        def one(number: int) -> Tensor:
            example = model.example(number)
            if not len(example.positions):
                return example.spread(example.inputs)
            references = example.vectors(reference[number])
            with quiet(), rng.legacy("shap", number):
                explainer = shap.GradientExplainer(
                    ExampleModule(example), references, batch_size=budget, local_smoothing=self.local_smoothing
                )
                found = explainer.shap_values(example.inputs, nsamples=self.nsamples)
            return example.spread(torch.from_numpy(found))

        return by_example(batch, one)


@dataclass(frozen=True)
class Deep(Method):
    """DeepLIFT with the rescale rule, averaged over the references, by shap's ``DeepExplainer``.

    shap has rules for modules. A module without one, and one that runs twice in a pass, are refused. For activations
    that are called as functions shap uses the plain gradient, and its check of the sum refuses the result. Modules that
    work in place do not while they are explained.

    Args:
        check_additivity: whether attributions are refused that miss the change of the score by 0.01 or more.
    """

    name = "shap_deep"
    summary = "DeepLIFT averaged over the references (shap)"
    source = "Lundberg and Lee 2017, section 4.2 (Deep SHAP); Shrikumar et al. 2017; shap.DeepExplainer"
    needs = frozenset({"gradients", "modules"})
    precisions = ("fp32",)  # shap's hooks know no autocast
    reads_baseline = True
    reads_distribution = True
    signed = True
    complete = True
    multiplied_by_inputs = True

    check_additivity: bool = True

    def attribute(self, model: Handle, batch: Batch, reference: Tensor | None, rng: Draws) -> Tensor:
        """See :meth:`xaiexp.plugin.Method.attribute`.

        Raises:
            Unsupported: a module has no rule or runs twice, attributions do not sum to the change of the score, or
                what is explained is no number that the network returns.
        """
        import torch

        from xaiexp_shap.calls import by_example, library, quiet
        from xaiexp_shap.modules import deep_values

        assert reference is not None  # noqa: S101 -- guaranteed by reads_baseline
        if not model.output.as_returned:
            raise Unsupported(
                f"DeepLIFT has no rule for what makes {model.output.name} of the numbers that the network returns: use "
                "output=logit (or output=value)"
            )
        shap = library()
        size = max(1, model.passes.budget(batch.shape) // 2)

        def one(number: int) -> Tensor:
            alone = model.with_batch(batch.rows(torch.tensor([number], device=batch.device)))
            total = torch.zeros_like(batch.inputs[number])
            for part in torch.split(reference[number], size):

                def run(block: Block, part: Tensor = part) -> Tensor:
                    return deep_values(shap, model.score_module(block), block.rows, part, self.check_additivity)

                with quiet():
                    total += alone.apply(run)[0] * (len(part) / reference.shape[1])
            return total

        return by_example(batch, one)
