"""A study of a text classifier with several labels, trained on generated texts whose deciding words are known."""

from __future__ import annotations

import json
import random

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import xaiexp

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
TOPICS = {
    "sport": ["goal", "match", "team"],
    "money": ["bank", "price", "tax"],
    "food": ["bread", "soup", "cook"],
    "travel": ["train", "hotel", "map"],
}
OTHER = [
    "the",
    "a",
    "with",
    "and",
    "then",
    "we",
    "saw",
    "near",
    "old",
    "new",
    "one",
    "two",
    "some",
    "this",
    "that",
    "over",
]
VOCABULARY = [*SPECIAL, *OTHER, *(word for words in TOPICS.values() for word in words)]


def generated(draw):
    """A text, with one or two words of each topic that is among its labels."""
    labels = [topic for topic in TOPICS if draw.random() < 0.4]
    words = [draw.choice(OTHER) for _ in range(draw.randint(8, 16))]
    for topic in labels:
        for word in draw.sample(TOPICS[topic], draw.randint(1, 2)):
            words.insert(draw.randint(0, len(words)), word)
    return {"text": " ".join(words), "labels": labels}


def trained(rows, tokenizer, draw, steps=900):
    names = list(TOPICS)
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=40, pad_token_id=1,
            problem_type="multi_label_classification", id2label=dict(enumerate(names)),
            label2id={name: i for i, name in enumerate(names)},
        )
    ).train()  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(steps):
        part = draw.sample(rows, 32)
        encoded = tokenizer([row["text"] for row in part], padding=True, return_tensors="pt")
        labels = torch.tensor([[float(name in row["labels"]) for name in names] for row in part])
        optimizer.zero_grad()
        model(**encoded, labels=labels).loss.backward()
        optimizer.step()
    return model.eval()


@pytest.mark.heavy  # trains for half a minute
def test_the_best_method_is_better_than_random_and_each_label_is_explained(tmp_path):
    draw = random.Random(0)
    rows = [generated(draw) for _ in range(2064)]
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>", mask_token="<mask>",
        pad_token="<pad>", model_max_length=40,
    )  # fmt: skip
    trained(rows[64:], tokenizer, draw).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows[:64]))
    result = xaiexp.run(
        [
            "model=transformers", f"model.path={tmp_path / 'model'}", "dataset=text", f"dataset.path={texts}",
            "dataset.text_column=text", "dataset.label_column=labels", f"dataset.classes=[{','.join(TOPICS)}]",
            "target=label", "baseline=[mask_token]", "method=[integrated_gradients,kernel_shap,random]",
            "metric=[deletion,infidelity]", "agreement=[]", "examples=48", "tracking.uri=off", "report=false",
        ],
        quiet=True,
    )  # fmt: skip
    scores = result.scores
    assert set(scores["target"]) == set(range(len(TOPICS)))
    best = scores[scores["method"] == "kernel_shap"].groupby("metric")["value"].mean()
    floor = scores[scores["method"] == "random"].groupby("metric")["value"].mean()
    words = result.verdicts.set_index("metric")["verdict"]
    for metric in ("deletion", "infidelity"):
        assert best[metric] < 0.5 * floor[metric]
        assert "all tested cells are better than random" in words[metric]
