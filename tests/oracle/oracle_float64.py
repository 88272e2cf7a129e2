"""A second opinion on transformers: the same networks in NumPy, in float64, from their formulas.

It serves three purposes. The distance to transformers' float32 logits is the rounding error from which bounds
are made. Rounding the activations before each matrix product shows what candidates that do so may differ by.
And a formula changed on purpose (a window one token wider, a dropped scaling) shows by how much the committed
logits would expose the mistake. Shapes: T tokens, H heads, G key/value heads, D head size, V vocabulary.
"""

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Formula:
    """What is computed; replace() makes a wrong one."""
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    epsilon: float
    theta: float
    scaling: dict
    window: int = 0                  # 0: none. A token sees itself and the window - 1 tokens before it
    experts_used: int = 0
    renormalise: bool = True         # routing weights of the chosen experts sum to one
    use_biases: bool = True
    neighbour_pairs: bool = False    # rotate (2i, 2i+1) instead of (i, i + D/2)
    grouped_heads: bool = True       # query head h reads key head h*G/H, not h mod G
    magnitude: bool = True           # yarn's factor on cosine and sine
    score_size: int = 0              # scores are divided by its root; 0: head_size


def formula_of(configuration):
    rotary = dict(configuration.rope_parameters)
    head_size = getattr(configuration, "head_dim", None)
    return Formula(layers=configuration.num_hidden_layers, heads=configuration.num_attention_heads,
                   kv_heads=configuration.num_key_value_heads,
                   head_size=head_size or configuration.hidden_size // configuration.num_attention_heads,
                   epsilon=configuration.rms_norm_eps, theta=rotary.pop("rope_theta"), scaling=rotary,
                   window=getattr(configuration, "sliding_window", None) or 0,
                   experts_used=getattr(configuration, "num_experts_per_tok", 0))


def llama3_frequencies(frequencies, scaling):
    """Long waves are slowed by `factor`, short ones kept, those between interpolated in 1 / wavelength."""
    context = scaling["original_max_position_embeddings"]
    low, high, factor = (scaling[key] for key in ("low_freq_factor", "high_freq_factor", "factor"))
    waves = 2.0 * np.pi / frequencies
    smooth = (context / waves - low) / (high - low)
    between = ((1.0 - smooth) / factor + smooth) * frequencies
    slowed = np.where(waves > context / low, frequencies / factor, between)
    return np.where(waves < context / high, frequencies, slowed)


def yarn_frequencies(frequencies, theta, scaling):
    """A ramp over the pair index: pairs that turn more than beta_fast times in the original context keep
    their frequency, those that turn less than beta_slow times are slowed by `factor`."""
    pairs = frequencies.size
    context = scaling["original_max_position_embeddings"]

    def pair_that_turns(times):
        return pairs * math.log(context / (times * 2.0 * math.pi)) / math.log(theta)

    low = max(math.floor(pair_that_turns(scaling.get("beta_fast", 32.0))), 0)
    high = min(math.ceil(pair_that_turns(scaling.get("beta_slow", 1.0))), 2 * pairs - 1)
    ramp = np.clip((np.arange(pairs) - low) / max(high - low, 0.001), 0.0, 1.0)
    return frequencies * (1.0 - ramp) + frequencies / scaling["factor"] * ramp


def rotary_frequencies(formula):
    """Angle per position of each pair of dimensions, and the magnitude of cosine and sine."""
    pairs = formula.head_size // 2
    frequencies = formula.theta ** (-np.arange(pairs, dtype=np.float64) / pairs)
    kind = formula.scaling["rope_type"]
    if kind == "default":
        return frequencies, 1.0
    if kind == "linear":
        return frequencies / formula.scaling["factor"], 1.0
    if kind == "llama3":
        return llama3_frequencies(frequencies, formula.scaling), 1.0
    assert kind == "yarn", kind
    magnitude = 0.1 * math.log(formula.scaling["factor"]) + 1.0
    return yarn_frequencies(frequencies, formula.theta, formula.scaling), magnitude if formula.magnitude else 1.0


def rotate(x, formula):
    """x[T, heads, D] with the rotary embedding of positions 0..T-1."""
    frequencies, magnitude = rotary_frequencies(formula)
    angles = np.arange(x.shape[0])[:, None, None] * frequencies          # [T, 1, D/2]
    cosine, sine = magnitude * np.cos(angles), magnitude * np.sin(angles)
    half = x.shape[2] // 2
    first = slice(0, None, 2) if formula.neighbour_pairs else slice(0, half)
    second = slice(1, None, 2) if formula.neighbour_pairs else slice(half, None)
    turned = np.empty_like(x)
    turned[..., first] = x[..., first] * cosine - x[..., second] * sine
    turned[..., second] = x[..., second] * cosine + x[..., first] * sine
    return turned


def softmax(x):
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def silu(x):
    return x / (1.0 + np.exp(-x))


class Network64:
    """weights: the state dictionary of the transformers network, any float type."""

    def __init__(self, formula, weights, round_activations=None):
        self.formula = formula
        self.weights = {name: value.double().numpy() for name, value in weights.items()}
        self.round_activations = round_activations or (lambda x: x)

    def changed(self, **changes):
        other = Network64.__new__(Network64)
        other.formula = replace(self.formula, **changes)
        other.weights, other.round_activations = self.weights, self.round_activations
        return other

    def norm(self, x, name):
        scale = np.sqrt((x * x).mean(axis=-1, keepdims=True) + self.formula.epsilon)
        return x / scale * self.weights[name + ".weight"]

    def linear(self, x, name):
        y = self.round_activations(x) @ self.weights[name + ".weight"].T
        bias = self.weights.get(name + ".bias")
        return y if bias is None or not self.formula.use_biases else y + bias

    def attention(self, x, prefix):
        f, tokens = self.formula, x.shape[0]
        q = rotate(self.linear(x, prefix + "q_proj").reshape(tokens, f.heads, f.head_size), f)
        k = rotate(self.linear(x, prefix + "k_proj").reshape(tokens, f.kv_heads, f.head_size), f)
        v = self.linear(x, prefix + "v_proj").reshape(tokens, f.kv_heads, f.head_size)
        head = np.arange(f.heads)
        group = head * f.kv_heads // f.heads if f.grouped_heads else head % f.kv_heads
        scores = np.einsum("qhd,khd->hqk", q, k[:, group]) / math.sqrt(f.score_size or f.head_size)
        distance = np.arange(tokens)[:, None] - np.arange(tokens)[None, :]
        hidden = (distance < 0) | ((distance >= f.window) if f.window else False)
        mixed = np.einsum("hqk,khd->qhd", softmax(np.where(hidden, -np.inf, scores)), v[:, group])
        return self.linear(mixed.reshape(tokens, -1), prefix + "o_proj")

    def gated(self, x, gate, up, down):
        return self.round_activations(silu(x @ gate.T) * (x @ up.T)) @ down.T

    def dense(self, x, prefix):
        names = (prefix + "gate_proj.weight", prefix + "up_proj.weight", prefix + "down_proj.weight")
        return self.gated(self.round_activations(x), *(self.weights[name] for name in names))

    def experts(self, x, prefix, gaps):
        """The router reads unrounded activations. gaps: by how much the last chosen expert wins, per token."""
        used = self.formula.experts_used
        logits = x @ self.weights[prefix + "gate.weight"].T
        ranked = -np.sort(-logits, axis=-1)
        gaps.append(ranked[:, used - 1] - ranked[:, used])
        chosen = np.argsort(-logits, axis=-1, kind="stable")[:, :used]
        shares = np.take_along_axis(softmax(logits), chosen, axis=-1)
        if self.formula.renormalise:
            shares = shares / shares.sum(axis=-1, keepdims=True)
        gate_up, down = self.weights[prefix + "experts.gate_up_proj"], self.weights[prefix + "experts.down_proj"]
        rounded, y = self.round_activations(x), np.zeros_like(x)
        for token, rank in np.ndindex(*chosen.shape):
            gate, up = np.split(gate_up[chosen[token, rank]], 2)
            y[token] += shares[token, rank] * self.gated(rounded[token], gate, up, down[chosen[token, rank]])
        return y

    def run(self, ids):
        """Logits [T, V] of the prompt, and the narrowest routing decision at each position [T]."""
        x, gaps = self.weights["model.embed_tokens.weight"][np.asarray(ids)], []
        for layer in range(self.formula.layers):
            prefix = f"model.layers.{layer}."
            x = x + self.attention(self.norm(x, prefix + "input_layernorm"), prefix + "self_attn.")
            y = self.norm(x, prefix + "post_attention_layernorm")
            routed = prefix + "mlp.gate.weight" in self.weights
            x = x + (self.experts(y, prefix + "mlp.", gaps) if routed else self.dense(y, prefix + "mlp."))
        logits = self.linear(self.norm(x, "model.norm"), "lm_head")
        return logits, np.min(gaps, axis=0) if gaps else np.full(len(ids), np.inf)
