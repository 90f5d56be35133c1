"""The rules in their explicit form, relevance by relevance, in loops over float64 numbers, and two transformers.

Written from Achtibat et al. 2024 (equations 7 to 9, propositions 3.1 to 3.4); it shares no code with the plugin, which
uses modified gradients. Vectors are lists of floats, matrices lists of rows (tokens).
"""

from __future__ import annotations

import math


def linear(weight, bias, x):
    return [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)]


def linear_back(weight, x, z, relevance, eps):
    """Equation 8: R_i = sum_j x_i w_ij / (z_j + eps sign z_j) R_j."""
    out = [0.0] * len(x)
    for j, r in enumerate(relevance):
        size = z[j] + math.copysign(eps, z[j])
        for i, value in enumerate(x):
            out[i] += value * weight[j][i] / size * r
    return out


def sum_back(addends, relevance):
    """Equation 8 at a sum: each addend in proportion to its value; constants may be among the addends."""
    totals = [sum(values) for values in zip(*addends, strict=True)]
    return [[v / t * r for v, t, r in zip(part, totals, relevance, strict=True)] for part in addends]


def product_back(relevance):
    """Proposition 3.2: half to each factor."""
    return [r / 2 for r in relevance]


def softmax(x):
    top = max(x)
    parts = [math.exp(v - top) for v in x]
    return [p / sum(parts) for p in parts]


def softmax_back(x, s, relevance):
    """Proposition 3.1: R_i = x_i (R_i - s_i sum_j R_j)."""
    total = sum(relevance)
    return [v * (r - share * total) for v, share, r in zip(x, s, relevance, strict=True)]


def matmul_back(a, b, relevance, share=0.5):
    """Proposition 3.3 for O = A B: R_ik(A) = sum_j A_ik B_kj / (2 O_ij) R_ij; ``share`` is that of B."""
    rows, inner, columns = len(a), len(b), len(b[0])
    left = [[0.0] * inner for _ in range(rows)]
    right = [[0.0] * columns for _ in range(inner)]
    for i in range(rows):
        for j in range(columns):
            z = sum(a[i][k] * b[k][j] for k in range(inner))
            for k in range(inner):
                part = a[i][k] * b[k][j] / z * relevance[i][j] if relevance[i][j] else 0.0
                left[i][k] += (1 - share) * part
                right[k][j] += share * part
    return left, right


def layer_norm(x, weight, bias, eps):
    mean = sum(x) / len(x)
    std = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + eps)
    return [(v - mean) / std * w + b for v, w, b in zip(x, weight, bias, strict=True)]


def layer_norm_back(x, bias, y, relevance):
    """Bias: equation 8. Weight and 1 / std: identity (proposition 3.4). Subtraction of the mean: equation 8."""
    n = len(x)
    mean = sum(x) / n
    scaled = [r * (out - b) / out for r, out, b in zip(relevance, y, bias, strict=True)]
    return [sum(x[i] * ((i == j) - 1 / n) / (x[j] - mean) * r for j, r in enumerate(scaled)) for i in range(n)]


def rms_norm(x, weight, eps):
    size = math.sqrt(sum(v * v for v in x) / len(x) + eps)
    return [v / size * w for v, w in zip(x, weight, strict=True)]


def gelu(x):
    return [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x]


def silu(x):
    return [v / (1 + math.exp(-v)) for v in x]


def transposed(matrix):
    return [list(column) for column in zip(*matrix, strict=True)]


class Attention:
    """Attention of one head: ``softmax(Q K^T scale) V``, over the keys up to the query if ``causal``."""

    def __init__(self, q, k, v, scale, causal):
        self.q, self.k, self.v, self.scale = q, k, v, scale
        tokens = range(len(q))
        self.visible = [[j for j in tokens if j <= i or not causal] for i in tokens]
        product = [[sum(a * b for a, b in zip(qi, kj, strict=True)) for kj in k] for qi in q]
        self.logits = [[product[i][j] * scale for j in self.visible[i]] for i in tokens]
        self.weights = [[0.0] * len(q) for _ in tokens]
        for i in tokens:
            for j, weight in zip(self.visible[i], softmax(self.logits[i]), strict=True):
                self.weights[i][j] = weight
        self.out = [
            [sum(w * vj[d] for w, vj in zip(row, v, strict=True)) for d in range(len(v[0]))] for row in self.weights
        ]

    def back(self, relevance, through):
        """Relevance of q, k and v."""
        at_weights, at_v = matmul_back(self.weights, self.v, relevance, 0.5 if through else 1.0)
        zero = [[0.0] * len(row) for row in self.q]
        if not through:
            return zero, zero, at_v
        at_logits = [[0.0] * len(self.q) for _ in self.q]
        for i, keys in enumerate(self.visible):
            shares = [self.weights[i][j] for j in keys]
            found = softmax_back(self.logits[i], shares, [at_weights[i][j] for j in keys])
            for j, r in zip(keys, found, strict=True):
                at_logits[i][j] = r
        at_q, at_k = matmul_back(self.q, transposed(self.k), at_logits)
        return at_q, transposed(at_k), at_v


def add_to(total, part):
    for row, more in zip(total, part, strict=True):
        for i, value in enumerate(more):
            row[i] += value


class Heads:
    """Projections and heads of a self-attention; a group of query heads may share a head of keys and values."""

    def __init__(self, projections, x, heads, groups, causal, turn=lambda rows: rows, unturn=None):
        self.projections, self.x, self.unturn = projections, x, unturn
        self.z = [[linear(*projections[name], row) for row in x] for name in "qkv"]
        self.width = width = len(self.z[0][0]) // heads
        self.parts, self.of = [], []
        for h in range(heads):
            spans = [slice(h * width, (h + 1) * width)] + [slice((h // groups) * width, (h // groups + 1) * width)] * 2
            raw = [[row[span] for row in rows] for rows, span in zip(self.z, spans, strict=True)]
            q, k = turn(raw[0]), turn(raw[1])
            self.parts.append((Attention(q, k, raw[2], width**-0.5, causal), raw))
            self.of.append(spans)
        self.out = [[value for part, _ in self.parts for value in part.out[t]] for t in range(len(x))]

    def back(self, relevance, eps, through):
        at_z = [[[0.0] * len(row) for row in rows] for rows in self.z]
        for h, ((part, raw), spans) in enumerate(zip(self.parts, self.of, strict=True)):
            mine = [row[h * self.width : (h + 1) * self.width] for row in relevance]
            found = list(part.back(mine, through))
            if self.unturn is not None:
                found[:2] = [self.unturn(rows, rs) for rows, rs in zip(raw[:2], found[:2], strict=True)]
            for target, span, rows in zip(at_z, spans, found, strict=True):
                for t, row in enumerate(rows):
                    for i, value in enumerate(row):
                        target[t][span.start + i] += value
        total = [[0.0] * len(row) for row in self.x]
        for name, zs, rs in zip("qkv", self.z, at_z, strict=True):
            weight = self.projections[name][0]
            add_to(total, [linear_back(weight, x, z, r, eps) for x, z, r in zip(self.x, zs, rs, strict=True)])
        return total


def bert(state, x, constants, heads, target, eps, through, norm_eps):
    """Relevance ``[T][D]`` of word embeddings ``x`` for a logit of a BERT classifier with one layer; and the logit."""

    def layer(name):
        return state[f"{name}.weight"], state[f"{name}.bias"]

    base = "bert.encoder.layer.0."
    summed = [[a + b for a, b in zip(row, more, strict=True)] for row, more in zip(x, constants, strict=True)]
    norms = [layer(f"{name}.LayerNorm") for name in ("bert.embeddings", f"{base}attention.output", f"{base}output")]
    h0 = [layer_norm(row, *norms[0], norm_eps) for row in summed]
    named = {"q": "query", "k": "key", "v": "value"}
    attention = Heads({k: layer(f"{base}attention.self.{v}") for k, v in named.items()}, h0, heads, 1, False)
    dense = layer(f"{base}attention.output.dense")
    o = [linear(*dense, row) for row in attention.out]
    s1 = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(o, h0, strict=True)]
    h1 = [layer_norm(row, *norms[1], norm_eps) for row in s1]
    up, down = layer(f"{base}intermediate.dense"), layer(f"{base}output.dense")
    u = [linear(*up, row) for row in h1]
    g = [gelu(row) for row in u]
    d = [linear(*down, row) for row in g]
    s2 = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(d, h1, strict=True)]
    h2 = [layer_norm(row, *norms[2], norm_eps) for row in s2]
    pool, head = layer("bert.pooler.dense"), layer("classifier")
    p = linear(*pool, h2[0])
    q = [math.tanh(v) for v in p]
    logits = linear(*head, q)

    r = linear_back(head[0], q, logits, [v if j == target else 0.0 for j, v in enumerate(logits)], eps)
    rows = [[0.0] * len(x[0]) for _ in x]
    rows[0] = linear_back(pool[0], h2[0], p, r, eps)  # tanh: identity
    at_s2 = [layer_norm_back(s, norms[2][1], y, r) for s, y, r in zip(s2, h2, rows, strict=True)]
    at_h1 = [[0.0] * len(x[0]) for _ in x]
    at_d = []
    for t, r in enumerate(at_s2):
        branch, past = sum_back([d[t], h1[t]], r)
        at_d.append(branch)
        at_h1[t] = past
    at_g = [linear_back(down[0], *args, eps) for args in zip(g, d, at_d, strict=True)]
    add_to(at_h1, [linear_back(up[0], *args, eps) for args in zip(h1, u, at_g, strict=True)])  # gelu: identity
    at_s1 = [layer_norm_back(s, norms[1][1], y, r) for s, y, r in zip(s1, h1, at_h1, strict=True)]
    split = [sum_back([o[t], h0[t]], r) for t, r in enumerate(at_s1)]
    at_h0 = [past for _, past in split]
    at_heads = [linear_back(dense[0], *args, eps) for args in zip(attention.out, o, [b for b, _ in split], strict=True)]
    add_to(at_h0, attention.back(at_heads, eps, through))
    at_sum = [layer_norm_back(s, norms[0][1], y, r) for s, y, r in zip(summed, h0, at_h0, strict=True)]
    return [sum_back([a, b], r)[0] for a, b, r in zip(x, constants, at_sum, strict=True)], logits[target]


def rotation(width, position, theta=10000.0):
    """The matrix of the rotary position embedding of transformers' Llama: q cos + rotate_half(q) sin."""
    half = width // 2
    matrix = [[0.0] * width for _ in range(width)]
    for i in range(width):
        angle = position * theta ** (-2 * (i % half) / width)
        matrix[i][i] = math.cos(angle)
        matrix[i][(i + half) % width] = math.sin(angle) * (-1 if i < half else 1)
    return matrix


def llama(state, x, heads, groups, target, eps, through, norm_eps):
    """Relevance ``[T][D]`` of word embeddings ``x`` for a logit of a Llama classifier with one layer; and the logit.

    The classifier reads the last token.
    """
    width = len(x[0]) // heads
    zero = [0.0] * width

    def turn(rows):
        return [linear(rotation(width, t), zero, row) for t, row in enumerate(rows)]

    def unturn(rows, relevance):
        found = []
        for t, (row, r) in enumerate(zip(rows, relevance, strict=True)):
            matrix = rotation(width, t)
            found.append(linear_back(matrix, row, linear(matrix, zero, row), r, 0.0) if any(r) else [0.0] * width)
        return found

    def layer(name):
        weight = state[f"{name}.weight"]
        return weight, [0.0] * len(weight)

    base = "model.layers.0."
    n0 = [rms_norm(row, state[f"{base}input_layernorm.weight"], norm_eps) for row in x]
    projections = {name: layer(f"{base}self_attn.{name}_proj") for name in "qkv"}
    attention = Heads(projections, n0, heads, groups, True, turn, unturn)
    dense = layer(f"{base}self_attn.o_proj")
    o = [linear(*dense, row) for row in attention.out]
    h1 = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(o, x, strict=True)]
    n1 = [rms_norm(row, state[f"{base}post_attention_layernorm.weight"], norm_eps) for row in h1]
    gate, up, down = (layer(f"{base}mlp.{name}_proj") for name in ("gate", "up", "down"))
    g = [linear(*gate, row) for row in n1]
    u = [linear(*up, row) for row in n1]
    m = [[a * b for a, b in zip(silu(gs), us, strict=True)] for gs, us in zip(g, u, strict=True)]
    d = [linear(*down, row) for row in m]
    h2 = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(d, h1, strict=True)]
    last = rms_norm(h2[-1], state["model.norm.weight"], norm_eps)
    head = layer("score")
    logits = linear(*head, last)

    start = [v if j == target else 0.0 for j, v in enumerate(logits)]
    at_h2 = [[0.0] * len(row) for row in x]
    at_h2[-1] = linear_back(head[0], last, logits, start, eps)  # RMSNorm: identity
    split = [sum_back([d[t], h1[t]], r) for t, r in enumerate(at_h2)]
    at_h1 = [past for _, past in split]
    for t, (branch, _) in enumerate(split):
        at_m = linear_back(down[0], m[t], d[t], branch, eps)
        at_u = product_back(at_m) if through else at_m
        at_n1 = linear_back(up[0], n1[t], u[t], at_u, eps)
        add_to([at_h1[t]], [at_n1])
        if through:  # silu: identity
            add_to([at_h1[t]], [linear_back(gate[0], n1[t], g[t], product_back(at_m), eps)])
    split = [sum_back([o[t], x[t]], r) for t, r in enumerate(at_h1)]
    at_x = [past for _, past in split]
    at_heads = [linear_back(dense[0], *args, eps) for args in zip(attention.out, o, [b for b, _ in split], strict=True)]
    add_to(at_x, attention.back(at_heads, eps, through))
    return at_x, logits[target]
