"""Relevances by the package lxt 2.1, run as a program: it patches classes of transformers and torch for good.

``python lxt_peer.py ARCHITECTURE VARIANT IN OUT`` reads the configuration, the state and the embeddings of a model from
IN and writes input x gradient of the patched model to OUT.
"""

from __future__ import annotations

import sys
import types

import torch
import transformers
from torchvision import models as tv

# lxt imports a copy of an old modeling_bert, which the present transformers cannot import. It is not used here.
sys.modules["lxt.efficient.models.bert"] = types.SimpleNamespace(modeling_bert=None, attnLRP={})  # type: ignore[assignment]
from lxt.efficient import monkey_patch  # noqa: E402 -- after the line above
from lxt.efficient.models import gpt2, llama, vit_torch  # noqa: E402 -- likewise

architecture, variant, source, sink = sys.argv[1:]
given = torch.load(source, weights_only=False)
x = given["x"].requires_grad_()
if architecture == "vit":
    monkey_patch(tv.vision_transformer, vit_torch.cp_LRP)
    module = tv.VisionTransformer(**given["config"]).eval()
    module.load_state_dict(given["state"])
    logits = module(x)
else:
    rules, place = {"llama": (llama, llama.modeling_llama), "gpt2": (gpt2, gpt2.modeling_gpt2)}[architecture]
    interfaces = place.ALL_ATTENTION_FUNCTIONS
    monkey_patch(place, rules.attnLRP if variant == "attn_lrp" else rules.cp_LRP)
    # lxt puts a dictionary here, which lacks a method of the present transformers; eager attention is not in it.
    place.ALL_ATTENTION_FUNCTIONS = interfaces
    module = transformers.AutoModelForSequenceClassification.from_config(
        given["config"], attn_implementation="eager"
    ).eval()
    module.load_state_dict(given["state"])
    logits = module(inputs_embeds=x, attention_mask=torch.ones(x.shape[:2], dtype=torch.long)).logits
logits[:, 1].sum().backward()
torch.save((x * x.grad).detach(), sink)
