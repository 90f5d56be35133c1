"""shap's explainer of a hierarchy of the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from xaiexp.plugin import Batch, Effort, Range
from xaiexp_shap.coalition_methods import CoalitionMethod

if TYPE_CHECKING:
    from xaiexp_shap.game import Game

__all__ = ["Partition"]


@dataclass(frozen=True)
class Partition(CoalitionMethod):
    """Owen values: Shapley values of a hierarchy of the features, by shap's ``PartitionExplainer``.

    Grids and pixels are halved along the longer side again and again, as by ``shap.maskers.Image``. Other features of
    an image are clustered by the distance of their centres (average linkage). Columns are clustered by the examples of
    the pool (single linkage, as by ``shap.maskers.Partition``, whose background here is the pool, so that all examples
    have one hierarchy); of features of several columns the closest count, and constant columns have distance 1.

    Args:
        max_evals: number of coalitions, each of at most a pass for each reference; then the value of a part of the
            hierarchy is divided equally among its features.
        fixed_context: whether other parts are present (1), absent (0) or both (null) when a part is divided.
        batch_size: coalitions that are evaluated before the next part is chosen.
        clustering: tables: the distance of columns, a metric of ``scipy.spatial.distance.pdist``.
    """

    name = "shap_partition"
    summary = "Owen values, Shapley values of a hierarchy of the features (shap)"
    source = "Owen 1977, Values of Games with a Priori Unions; shap.PartitionExplainer"
    modalities = ("image", "table")

    max_evals: Annotated[int, Range(2), Effort(500, 500, 5000)] = 500
    fixed_context: Literal[0, 1] | None = None
    batch_size: Annotated[int, Range(1)] = 10
    clustering: Literal["correlation", "cosine", "euclidean", "sqeuclidean", "cityblock", "chebyshev"] = "correlation"

    def values(self, shap: Any, game: Game, batch: Batch, number: int) -> Any:
        """See the base class.

        Raises:
            Unsupported: a table without other examples (background).
        """
        from xaiexp_shap.hierarchy import hierarchy

        if game.d == 1:
            return game(game.row) - game(game.background).mean()
        tree = hierarchy(shap, batch, number, game.d, self.clustering)
        masker = shap.maskers.Partition(game.background, max_samples=len(game.background), clustering=tree)
        return shap.PartitionExplainer(game, masker)(
            game.row,
            max_evals=self.max_evals,
            fixed_context=self.fixed_context,
            batch_size=self.batch_size,
            silent=True,
        ).values
