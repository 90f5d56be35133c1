"""The model's forward and backward passes as methods and metrics see them.

A method sees a :class:`Handle`, bound to one batch: it knows the batch's targets and context, so a method only
says at which inputs it wants scores or gradients. Importing this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, overload

from xaiexp.core.batches import Batch
from xaiexp.inference.block import Block
from xaiexp.inference.counter import Counter
from xaiexp.inference.met_scores import MetScores
from xaiexp.inference.outputs import PLAIN, Readout, target_scores
from xaiexp.inference.pass_engine import PassEngine, as_module

if TYPE_CHECKING:
    from torch import Tensor, nn

    from xaiexp.inference.bridges import ExampleFunction, ScoreModule
    from xaiexp.inference.layers import Activations
    from xaiexp.inference.packing import Piece
    from xaiexp.inference.row_cache import RowScope

__all__ = ["Asked", "Handle", "Passes"]

Asked = Readout | Literal["probability"] | None
"""An output to read instead of the study's: the probability of the target, or any other."""


@dataclass
class Passes(PassEngine):
    """The engine for one module on one device, which gives handles for batches."""

    def bind(
        self, batch: Batch, output: Readout = PLAIN, counter: Counter | None = None, rows: RowScope | None = None
    ) -> Handle:
        """The handle for one batch.

        Args:
            batch: the examples.
            output: what is explained; by default the numbers that the network returns.
            counter: counts the passes made through this handle; this engine's own by default.
            rows: where the scores of rows are kept for the study's other targets; None keeps nothing.
        """
        return Handle(self, batch, output, self.counter if counter is None else counter, rows)


class Handle:
    """The model as methods and metrics see it, bound to one batch.

    Results at the batch's own inputs are kept: asking again costs no pass.

    Attributes:
        passes: the engine; ``passes.budget(shape)`` is the number of rows that go through the model at once.
        batch: the batch it is bound to.
        output: what is explained; its ``name`` is that of the output, its ``task`` that of the network.
        counter: counts the passes made through this handle.
        rows: where the scores of rows are kept for the study's other targets; None where nothing is kept.
    """

    def __init__(
        self, passes: Passes, batch: Batch, output: Readout, counter: Counter, rows: RowScope | None = None
    ) -> None:
        self.passes, self.batch, self.output, self.counter = passes, batch, output, counter
        self.rows = rows
        self._kept: dict[tuple[str, Readout | None], Tensor] = {}
        self._asked: list[bool] = []  # not empty once the network itself was asked for
        self._scored = MetScores(batch.inputs)

    def counted_by(self, counter: Counter, rows: RowScope | None = None) -> Handle:
        """The same batch with the same results kept, its passes counted by ``counter``.

        Args:
            counter: counts the passes made through the returned handle.
            rows: as in :meth:`Passes.bind`.
        """
        other = Handle(self.passes, self.batch, self.output, counter, rows)
        other._kept = self._kept
        return other

    def with_batch(self, batch: Batch, output: Asked = None) -> Handle:
        """Another batch (perturbed versions, other targets) on the same network, counted as this one's passes."""
        other = Handle(self.passes, batch, self.readout(output), self.counter, self.rows)
        other._asked = self._asked
        return other

    def with_module(self, module: nn.Module) -> Handle:
        """The same batch on another network, on the same device; its passes are counted as this handle's."""
        # Rows are not shared: what is cached are the scores of this handle's network.
        return Handle(replace(self.passes, module=module), self.batch, self.output, self.counter)

    @property
    def module(self) -> nn.Module:
        """The network itself, in eval mode, for methods that hook its submodules; all passes then go through it.

        Raises:
            Unsupported: the model is not a ``torch.nn.Module``.
        """
        self._asked.append(True)
        return as_module(self.passes.module)

    @property
    def network(self) -> nn.Module:
        """As :attr:`module`, to be read and hooked alone: passes without hooks may go through a copy."""
        return as_module(self.passes.module)

    @contextmanager
    def layer(self, name: str) -> Iterator[Activations]:
        """Follow one layer through the passes of this handle: read its activations, and gradients with respect to them.

        ::

            with model.layer(self.layer) as activations:

                def run(block):
                    scores = block.scores(block.rows, model.output)
                    return activations.values.detach() * block.gradients(scores, activations.values)

                return model.apply(run)

        Inside :meth:`apply`, ``activations.values [B, *layer]`` are in the graph, also where the parameters of the
        network are frozen, so that ``values.register_hook`` sees their gradients. Hooks of the network are gone after
        the block, also after an error.

        Args:
            name: of a submodule, whose output is followed; of a tuple or a mapping the first tensor, of several runs in
                a pass the last one. ``auto`` is the last convolution, the input of the last self-attention over an
                image, or the input of the last linear layer.

        Raises:
            ParameterError: the network has no submodule of this name.
            Unsupported: the model is not a ``torch.nn.Module``.
        """
        from xaiexp.inference.layers import Layer

        with Layer(self, name, "layer", search="units").following() as activations:
            yield activations

    def readout(self, output: Asked = None) -> Readout:
        """What ``output`` means for this handle; see :meth:`scores`."""
        if isinstance(output, Readout):
            return output
        return self.output if output is None else self.output.bounded

    def blocks(self, count: int, weight: int = 1) -> Iterator[range]:
        """``range(count)`` in ranges of samples that, times the examples of the batch, fill a pass or several.

        For generators of perturbed inputs: yield one piece ``[N, len(range), *shape]`` a range, and memory does not
        grow with ``count``.

        Args:
            count: the number of samples.
            weight: rows that each sample becomes.
        """
        step = max(1, self.passes.stretch(self.batch.shape) // max(1, len(self.batch) * weight))
        yield from (range(start, min(count, start + step)) for start in range(0, count, step))

    def packed(
        self, pieces: Iterable[Piece], run: Callable[[Block], Tensor], weight: int = 1, cheap: bool = False
    ) -> Iterator[Tensor]:
        """:meth:`Passes.packed` for this batch, counted by this handle's counter."""
        return self.passes.packed(self.batch, pieces, run, self.counter, weight, cheap and not self._asked)

    def logits(self) -> Tensor:
        """The numbers that the network returns at the batch's inputs, ``[N, K]``; computed once."""
        import torch

        if ("logits", None) not in self._kept:
            with torch.no_grad():
                pieces = self.packed([self.batch.inputs], lambda block: block.logits(block.rows), cheap=True)
                self._kept["logits", None] = next(iter(pieces))
        return self._kept["logits", None]

    def preset_logits(self, logits: Tensor) -> None:
        """Use ``logits [N, classes]`` as those at the batch's inputs, so that they cost no pass."""
        self._kept["logits", None] = logits

    def remember(self, inputs: Tensor, scores: Tensor) -> None:
        """Keep scores that a method met in its passes, at the batch's own or at the last other inputs.

        Args:
            inputs: ``[N, *shape]`` or ``[N, S, *shape]``.
            scores: of the targets in the output that is explained, ``[N]`` or ``[N, S]``.
        """
        self._scored.put(inputs, self.output, scores)

    def scores(self, inputs: Tensor | Iterable[Tensor] | None = None, output: Asked = None) -> Tensor:
        """Scores of the targets.

        Args:
            inputs: ``[N, *shape]``, ``[N, S, *shape]``, or an iterable of such pieces that is consumed as
                needed; the batch's own inputs by default.
            output: ``"probability"`` for the probability of the target instead of the explained scalar. Where the
                task has no probabilities (regression), it is the explained scalar.

        Returns:
            ``[N]`` or ``[N, S]``; the pieces of an iterable are concatenated along S.
        """
        import torch

        readout = self.readout(output)
        if inputs is None or inputs is self.batch.inputs:
            known = None if ("logits", None) in self._kept else self._scored.get(self.batch.inputs, readout)
            return target_scores(self.logits(), self.batch.targets, readout) if known is None else known
        if isinstance(inputs, torch.Tensor) and (known := self._scored.get(inputs, readout)) is not None:
            return known

        def run(block: Block) -> Tensor:
            return self._cached_scores(block, readout)

        with torch.no_grad():
            if isinstance(inputs, torch.Tensor):
                found = next(iter(self.packed([inputs], run, cheap=True)))
                if readout == self.output and inputs.shape == self.batch.inputs.shape:
                    self.remember(inputs, found)
                return found
            pieces = [p if p.ndim == 2 else p.unsqueeze(1) for p in self.packed(inputs, run, cheap=True)]
        if not pieces:
            return self.batch.inputs.new_zeros(len(self.batch), 0)
        return torch.cat(pieces, dim=1)

    def hidden(self, inputs: Tensor | None = None) -> Tensor:
        """The model's penultimate representation: the input of its last linear layer, or of its last convolution.

        Args:
            inputs: ``[N, *shape]`` or ``[N, S, *shape]``; the batch's own by default, whose result is kept.

        Returns:
            float ``[N, H]`` or ``[N, S, H]``; see :class:`xaiexp.inference.representation.Penultimate`.

        Raises:
            Unsupported: the model is no module, or has no such layer.
        """
        import torch

        own = inputs is None or inputs is self.batch.inputs
        if own and ("hidden", self.output) in self._kept:
            return self._kept["hidden", self.output]
        given = self.batch.inputs if inputs is None else inputs
        with torch.no_grad():
            found = next(
                iter(self.packed([given], lambda block: self._scores_and_hidden(block, self.output), cheap=True))
            )
        if own:
            self._kept["hidden", self.output] = found[..., 1:]
        return found[..., 1:]

    def hidden_of_pool(self) -> Tensor:
        """The penultimate representation ``[P, H]`` of the background's pool; computed, and counted, once a study.

        Raises:
            Unsupported: there is no pool, or as :meth:`hidden`; its context is not known.
        """
        return self.passes.penultimate().of_pool(self.batch, lambda pool: self.with_batch(pool).hidden())

    def scores_and_hidden_of_rows(
        self, pieces: Iterable[tuple[Tensor, Tensor]], output: Asked = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """As :meth:`scores_of_rows`, with the penultimate representation from the same passes: ``[M]``, ``[M, H]``."""
        import torch

        run = torch.no_grad()(lambda block: self._scores_and_hidden(block, self.readout(output)))
        yield from ((found[:, 0], found[:, 1:]) for found in self.packed(pieces, run, cheap=True))

    def _scores_and_hidden(self, block: Block, output: Readout) -> Tensor:
        """Scores and representation ``[B, 1 + H]`` of a block."""
        import torch

        if self.rows is not None:
            return self.rows.get_or_compute(block, self._ids(block), output, self._logits_and_hidden, "hidden")
        logits, hidden = self._logits_and_hidden(block)
        scores = target_scores(logits, block.batch.targets[block.owners], output)
        return torch.cat([scores.unsqueeze(1), hidden.to(scores.dtype)], dim=1)

    def _logits_and_hidden(self, block: Block) -> tuple[Tensor, Tensor]:
        """Logits ``[B, classes]`` and representation ``[B, H]`` of a block."""
        cheap = block.forward == self.passes.cheap_forward
        return self.passes.penultimate(cheap)(lambda: block.logits(block.rows))

    def scores_of_rows(self, pieces: Iterable[tuple[Tensor, Tensor]]) -> Iterator[Tensor]:
        """Scores where examples differ in how many rows they need (ragged features), piece by piece.

        Args:
            pieces: ``(rows [M, *shape], owners [M])``, the example of the batch that each row belongs to; any M
                of at least 1, consumed as needed.

        Returns:
            An iterator of ``[M]``, one for each piece and in their order.
        """
        import torch

        run = torch.no_grad()(lambda block: self._cached_scores(block, self.output))
        return self.packed(pieces, run, cheap=True)

    def _cached_scores(self, block: Block, output: Readout) -> Tensor:
        """Scores ``[B]`` of a block, without a pass for rows that went through for another target before."""
        if self.rows is None:
            return block.scores(block.rows, output)

        def run(part: Block) -> tuple[Tensor, Tensor]:
            logits = part.logits(part.rows)
            return logits, logits.new_empty(len(logits), 0)

        return self.rows.get_or_compute(block, self._ids(block), output, run).squeeze(1)

    def _ids(self, block: Block) -> list[str]:
        return [self.batch.ids[i] for i in block.owners.tolist()]

    @overload
    def gradients(self, inputs: Tensor | None = None, output: Asked = None) -> Tensor: ...

    @overload
    def gradients(self, inputs: Iterable[Tensor], output: Asked = None) -> Iterator[Tensor]: ...

    def gradients(
        self, inputs: Tensor | Iterable[Tensor] | None = None, output: Asked = None
    ) -> Tensor | Iterator[Tensor]:
        """Gradients of the targets' scores with respect to the inputs.

        Args:
            inputs, output: as in :meth:`scores`.

        Returns:
            Like ``inputs``; for an iterable an iterator of gradients, one for each piece and in their order, of
            which only as many exist at once as fill a pass.
        """
        import torch

        readout = self.readout(output)

        def run(block: Block) -> Tensor:
            with torch.enable_grad():
                leaf = block.rows.requires_grad_()
                return block.gradients(block.scores(leaf * 1, readout), leaf).detach()

        if inputs is not None and not isinstance(inputs, torch.Tensor):
            return self.packed(inputs, run, cheap=True)
        if inputs is not None and inputs is not self.batch.inputs:
            return next(iter(self.packed([inputs], run, cheap=True)))
        if ("gradients", readout) not in self._kept:
            self._kept["gradients", readout] = next(iter(self.packed([self.batch.inputs], run, cheap=True)))
        return self._kept["gradients", readout]

    def apply(self, run: Callable[[Block], Tensor], inputs: Tensor | None = None, weight: int = 1) -> Tensor:
        """Run a function of one's own over full blocks of rows, with gradients enabled.

        For methods that need more than scores and gradients at the inputs: hooks on layers, paired inputs.

        Args:
            run: ``block -> [B, ...]``; calls ``block.scores`` and ``block.gradients``, which count.
            inputs: ``[N, *shape]`` or ``[N, S, *shape]``; the batch's own by default.
            weight: rows that go through the model at once for each row of a block.

        Returns:
            What ``run`` returned, put together over the rows: ``[N, ...]`` or ``[N, S, ...]``, detached.
        """
        import torch

        with torch.enable_grad():
            return next(iter(self.packed([self.batch.inputs if inputs is None else inputs], run, weight))).detach()

    def function(self, rows: Tensor, owners: Tensor) -> Tensor:
        """Scores as a function for libraries that call one and differentiate it once.

        Passes are counted and go through the network in full batches, however many rows are asked for; gradients are
        computed with the scores, so that no graph of the network is kept.

        Args:
            rows: ``[M, *shape]`` on any device and of any float dtype.
            owners: int64 ``[M]``, the example of the batch that each row is a version of: its target and context count.

        Returns:
            ``[M]`` like ``rows``, differentiable with respect to them where they require gradients.
        """
        from xaiexp.inference.bridges import differentiable, scores_and_gradients

        gradients = partial(scores_and_gradients, partial(self.packed, cheap=True), self.output)
        return differentiable(rows, owners, self.batch.inputs, self.scores_of_rows, gradients)

    def example(self, number: int) -> ExampleFunction:
        """The score of one example of the batch as a function of the vector of its elements; see its docstring."""
        from xaiexp.inference.bridges import ExampleFunction

        return ExampleFunction(self.batch, number, self.function)

    def score_module(self, block: Block) -> ScoreModule:
        """The network as a module that returns scores, for libraries that hook modules; see its docstring.

        Raises:
            Unsupported: the model is not a ``torch.nn.Module``.
        """
        from xaiexp.inference.bridges import ScoreModule

        return ScoreModule(self.module, block, self.output)
