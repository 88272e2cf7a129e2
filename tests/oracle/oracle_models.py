"""The random models of the oracle: their shapes, their weights and their Hugging Face folders.

Each row of MODELS is a small network that exercises something a reader or a kernel can get wrong: grouped
heads, a head size that is not hidden / heads, tied embeddings, each rotary scaling, a sliding window, biases,
experts. Weights are scaled so that attention is far from uniform and logits spread over several units; norm
weights are not one; epsilons, rotary bases and vocabulary sizes are not the defaults, so none can be guessed.
"""

import json
import math
from dataclasses import dataclass, field

import numpy as np
import torch
import transformers


@dataclass(frozen=True)
class Model:
    """One network. `settings` are the arguments of the transformers configuration class `kind`Config."""
    name: str
    kind: str
    weights: str                      # element type of the Hugging Face folder
    settings: dict
    gguf_types: tuple                 # one GGUF file for each; the first holds the very bits of the folder
    published_config: bool = False    # config.json as published models have it, before transformers 5
    shard_bytes: int = 0              # 0: one safetensors file
    gguf_split_tensors: int = 0       # 0: one GGUF file
    gguf_head_size: bool = True       # older converters wrote no key_length where it is hidden / heads
    published_extra: dict = field(default_factory=dict)


def shape(vocabulary, hidden, heads, kv_heads, intermediate, epsilon, theta=None, **more):
    settings = dict(vocab_size=vocabulary, hidden_size=hidden, num_attention_heads=heads,
                    num_key_value_heads=kv_heads, intermediate_size=intermediate, rms_norm_eps=epsilon,
                    num_hidden_layers=2, max_position_embeddings=512)
    if theta is not None:
        settings["rope_theta"] = theta
    settings.update(more)
    return settings


MODELS = (
    Model("llama", "Llama", "float32", shape(96, 64, 4, 2, 64, 5e-3, theta=30000.0),
          ("f32", "q8_0", "q4_0"), published_config=True, shard_bytes=100_000, gguf_head_size=False),
    Model("llama3", "Llama", "bfloat16",
          shape(101, 48, 3, 1, 80, 2e-3, theta=20000.0, tie_word_embeddings=True,
                rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                  original_max_position_embeddings=128)),
          ("bf16",), published_config=True),
    Model("llama_linear", "Llama", "float16",
          shape(96, 48, 3, 1, 80, 4e-3, theta=15000.0, head_dim=32,
                rope_scaling=dict(rope_type="linear", factor=3.0)),
          ("f16",), published_config=True, published_extra=dict(rope_scaling=dict(type="linear", factor=3.0))),
    Model("llama_yarn", "Llama", "bfloat16",
          shape(96, 48, 3, 3, 80, 3e-3, theta=25000.0,
                rope_scaling=dict(rope_type="yarn", factor=4.0, beta_fast=16.0, beta_slow=2.0,
                                  original_max_position_embeddings=128)),
          ("bf16",), gguf_split_tensors=8),
    Model("mistral", "Mistral", "bfloat16",
          shape(97, 64, 4, 1, 80, 6e-3, theta=12000.0, sliding_window=48),
          ("bf16",), published_config=True),
    Model("qwen2", "Qwen2", "bfloat16",
          shape(127, 64, 4, 2, 96, 3e-3, theta=50000.0, tie_word_embeddings=True),
          ("bf16", "q4_0"), published_config=True,
          published_extra=dict(use_sliding_window=False, sliding_window=131072, max_window_layers=2)),
    Model("mixtral", "Mixtral", "bfloat16",
          shape(96, 64, 4, 2, 32, 4e-3, theta=40000.0, num_local_experts=4, num_experts_per_tok=2),
          ("bf16", "q8_0")),
)


def make_configuration(model):
    settings = dict(model.settings)
    theta = settings.pop("rope_theta", None)
    scaling = settings.pop("rope_scaling", dict(rope_type="default"))
    settings["rope_parameters"] = dict(scaling, rope_theta=theta)
    configuration = getattr(transformers, model.kind + "Config")(**settings)
    configuration.architectures = [model.kind + "ForCausalLM"]
    return configuration


def weight_scale(name, shape, tied):
    """Standard deviation of a random weight. Fan-in is the last dimension of every matrix."""
    fan_in = shape[-1]
    if "embed_tokens" in name:
        return 2.0 / math.sqrt(fan_in) if tied else 1.0   # tied: also the output matrix
    if "lm_head" in name:
        return 2.0 / math.sqrt(fan_in)
    if "q_proj" in name or "k_proj" in name:
        return 1.6 / math.sqrt(fan_in)                    # scores with a deviation of about 2 to 3
    if name.endswith("mlp.gate.weight"):
        return 2.5 / math.sqrt(fan_in)                    # routing that is not near a tie everywhere
    return 1.2 / math.sqrt(fan_in)


def random_weight(name, shape, tied, generator):
    if name.endswith("norm.weight"):
        return generator.uniform(0.4, 1.6, shape)
    if name.endswith(".bias"):
        return generator.normal(0.0, 0.8, shape)
    return generator.normal(0.0, weight_scale(name, shape, tied), shape)


def make_network(model, generator):
    """The network with random weights, already rounded to the folder's element type."""
    configuration = make_configuration(model)
    network = getattr(transformers, model.kind + "ForCausalLM")(configuration)
    network = network.to(getattr(torch, model.weights)).eval()
    state = network.state_dict()
    for name in sorted(state):
        if configuration.tie_word_embeddings and name == "lm_head.weight":
            continue
        values = random_weight(name, tuple(state[name].shape), configuration.tie_word_embeddings, generator)
        state[name].copy_(torch.from_numpy(values.astype(np.float32)))
    network.tie_weights()
    return network


def publish_configuration(path, model):
    """Rewrite config.json the way the published models of this kind carry it: rope_theta and rope_scaling at
    the top, torch_dtype, and no head_dim where it follows from the other sizes."""
    config = json.loads(path.read_text())
    rotary = config.pop("rope_parameters")
    config["rope_theta"] = rotary.pop("rope_theta")
    config["rope_scaling"] = None if rotary["rope_type"] == "default" else rotary
    config["torch_dtype"] = config.pop("dtype")
    if config.get("head_dim") in (None, config["hidden_size"] // config["num_attention_heads"]):
        config.pop("head_dim", None)
    config.pop("layer_types", None)
    config.update(model.published_extra)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def save_folder(model, network, folder):
    limit = model.shard_bytes or 10**9
    network.save_pretrained(folder, max_shard_size=limit)
    if model.published_config:
        publish_configuration(folder / "config.json", model)


def load_folder(model, folder):
    """The network as transformers reads it back from the folder, computing in float32."""
    kind = getattr(transformers, model.kind + "ForCausalLM")
    plain = dict(attn_implementation="eager")
    if model.kind == "Mixtral":
        plain["experts_implementation"] = "eager"
    return kind.from_pretrained(folder, dtype=torch.float32, **plain).eval()
