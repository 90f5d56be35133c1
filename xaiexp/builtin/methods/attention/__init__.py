"""Methods based on the attention weights of transformers.

``attention_maps.py`` holds the components; ``attention_formulas.py`` the formulas (rollout, relevancy).
``weight_capture.py`` records the attention weights of a forward pass, ``token_index.py`` maps elements of the input to
tokens.
"""

from __future__ import annotations

from xaiexp.builtin.methods.attention.attention_maps import AttentionRollout, AttentionXGradient, Chefer, RawAttention
from xaiexp.contract.kinds import Component

__all__ = ["COMPONENTS"]

COMPONENTS: tuple[type[Component], ...] = (
    AttentionRollout,
    AttentionXGradient,
    Chefer,
    RawAttention,
)
