"""The random models of the further architectures: configurations, weights, folders.

Each row is a small network of one architecture with something that a description can get wrong: tied or untied
embeddings, odd head counts, a routing mode, windows, scalings. `gguf` is empty where llama.cpp's format cannot say what
the configuration says. `mistakes` are changes of the configuration that must show in the logits.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
import transformers


@dataclass(frozen=True)
class Model:
    name: str
    kind: str                 # transformers' class is KINDForCausalLM
    settings: dict
    gguf: str = ""            # GGUF's name for the architecture
    mistakes: dict = field(default_factory=dict)
    reference_rope: dict = field(default_factory=dict)   # what the reference computes with; see longrope below
    prompts: tuple = (1, 7, 64, 300)
    forms: tuple = ("",)      # settings under which it must give the same


def rope(theta, **scaling):
    return dict(rope_theta=theta, **{"rope_type": "default", **scaling})


def shape(hidden, heads, kv_heads, intermediate, epsilon, rotary, **more):
    return dict(vocab_size=64, hidden_size=hidden, num_attention_heads=heads, num_key_value_heads=kv_heads,
                intermediate_size=intermediate, rms_norm_eps=epsilon, rope_parameters=rotary, num_hidden_layers=2,
                max_position_embeddings=512, pad_token_id=0, bos_token_id=1, eos_token_id=2) | more


def latent(**more):
    return dict(kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=6, moe_intermediate_size=8,
                first_k_dense_replace=1) | more


YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128)
LONG = [1.0 + 0.9 * i for i in range(4)]
SHORT = [1.0 + 0.1 * i for i in range(4)]
LONGROPE = dict(rope_type="longrope", long_factor=LONG, short_factor=SHORT)

MODELS = (
    Model("qwen3", "Qwen3", shape(32, 3, 1, 48, 3e-3, rope(30000.0), head_dim=16), "qwen3",
          dict(epsilon=dict(rms_norm_eps=1e-5))),
    Model("qwen3_tied", "Qwen3", shape(24, 5, 5, 40, 2e-3, rope(20000.0, **YARN), head_dim=8, attention_bias=True,
                                       tie_word_embeddings=True), "qwen3",
          dict(no_scaling=dict(rope_parameters=rope(20000.0)))),
    Model("qwen2moe", "Qwen2Moe", shape(24, 4, 2, 48, 4e-3, rope(15000.0), num_experts=6, num_experts_per_tok=2,
                                        moe_intermediate_size=12, shared_expert_intermediate_size=24), "qwen2moe",
          dict(normed=dict(norm_topk_prob=True), one_less=dict(num_experts_per_tok=1))),
    Model("qwen2moe_mixed", "Qwen2Moe",
          shape(24, 3, 1, 32, 4e-3, rope(15000.0), num_experts=5, num_experts_per_tok=3, moe_intermediate_size=12,
                shared_expert_intermediate_size=8, norm_topk_prob=True, num_hidden_layers=3, mlp_only_layers=[0],
                decoder_sparse_step=1, tie_word_embeddings=True, qkv_bias=False), "",
          dict(not_normed=dict(norm_topk_prob=False))),
    Model("qwen3moe", "Qwen3Moe", shape(24, 4, 2, 48, 3e-3, rope(40000.0), head_dim=8, num_local_experts=8,
                                        num_experts_per_tok=3, moe_intermediate_size=8, norm_topk_prob=True), "qwen3moe",
          dict(not_normed=dict(norm_topk_prob=False))),
    Model("qwen3moe_mixed", "Qwen3Moe",
          shape(24, 3, 3, 32, 3e-3, rope(40000.0), head_dim=16, num_local_experts=4, num_experts_per_tok=2,
                moe_intermediate_size=8, norm_topk_prob=False, decoder_sparse_step=2, tie_word_embeddings=True), "",
          dict(normed=dict(norm_topk_prob=True))),
    Model("olmoe", "Olmoe", shape(24, 4, 4, 8, 5e-3, rope(12000.0), num_experts=8, num_experts_per_tok=3), "olmoe",
          dict(normed=dict(norm_topk_prob=True))),
    Model("olmoe_normed", "Olmoe", shape(24, 3, 1, 12, 5e-3, rope(12000.0), num_experts=4, num_experts_per_tok=2,
                                         norm_topk_prob=True, tie_word_embeddings=True), "",
          dict(not_normed=dict(norm_topk_prob=False))),
    Model("gemma2", "Gemma2", shape(24, 4, 2, 48, 3e-3, rope(10000.0), head_dim=16, query_pre_attn_scalar=16,
                                    sliding_window=48, attn_logit_softcapping=4.0, final_logit_softcapping=6.0),
          "gemma2", dict(score_cap=dict(attn_logit_softcapping=8.0), logit_cap=dict(final_logit_softcapping=8.0),
                         window=dict(sliding_window=49))),
    Model("gemma2_odd", "Gemma2",
          shape(24, 3, 1, 32, 3e-3, rope(17000.0), head_dim=8, query_pre_attn_scalar=5, sliding_window=20,
                attn_logit_softcapping=3.0, final_logit_softcapping=5.0, num_hidden_layers=3), "",
          dict(scalar=dict(query_pre_attn_scalar=8))),
    Model("gemma3", "Gemma3", shape(24, 2, 1, 24, 2e-3,
                                    dict(sliding_attention=rope(10000.0),
                                         full_attention=rope(70000.0, rope_type="linear", factor=8.0)),
                                    head_dim=12, query_pre_attn_scalar=12, sliding_window=24, num_hidden_layers=6),
          "gemma3", dict(window=dict(sliding_window=25))),
    Model("gemma3_odd", "Gemma3", shape(24, 3, 3, 32, 2e-3, dict(sliding_attention=rope(9000.0), full_attention=rope(50000.0)),
                                        head_dim=8, query_pre_attn_scalar=20, sliding_window=33, num_hidden_layers=3,
                                        layer_types=["full_attention", "sliding_attention", "full_attention"]), "",
          dict(scalar=dict(query_pre_attn_scalar=8))),
    Model("phi3", "Phi3", shape(32, 4, 2, 32, 3e-3, rope(11000.0, partial_rotary_factor=1.0), sliding_window=50), "phi3",
          dict(window=dict(sliding_window=51))),
    # Distances below the original context: the short factors, and a magnitude from the ratio of the contexts.
    Model("phi3_short", "Phi3", shape(24, 3, 1, 32, 3e-3, rope(11000.0, partial_rotary_factor=1.0, **LONGROPE),
                                      max_position_embeddings=2048, original_max_position_embeddings=512,
                                      tie_word_embeddings=True), "phi3"),
    # transformers chooses the factors anew for every prompt, Hone once for a run: the reference has the long ones in
    # both places.
    Model("phi3_long", "Phi3", shape(32, 4, 2, 32, 3e-3, rope(11000.0, partial_rotary_factor=1.0, **LONGROPE),
                                     max_position_embeddings=512, original_max_position_embeddings=64), "phi3",
          reference_rope=dict(short_factor=LONG)),
    Model("phi3_partial", "Phi3", shape(32, 2, 1, 32, 3e-3, rope(11000.0, partial_rotary_factor=0.75)), ""),
    Model("gpt_oss", "GptOss",
          shape(24, 4, 2, 16, 3e-3, rope(90000.0, **YARN, beta_fast=32.0, beta_slow=1.0, truncate=False), head_dim=8,
                num_local_experts=6, num_experts_per_tok=2, sliding_window=32, swiglu_limit=7.0), "gpt-oss",
          dict(window=dict(sliding_window=33), slope=dict(swiglu_alpha=1.5))),
    Model("gpt_oss_odd", "GptOss",
          shape(24, 3, 1, 16, 3e-3, rope(90000.0, **YARN, beta_fast=20.0, beta_slow=2.0, truncate=True), head_dim=12,
                num_local_experts=4, num_experts_per_tok=3, sliding_window=20, swiglu_limit=1.5, num_hidden_layers=3), "",
          dict(limit=dict(swiglu_limit=7.0))),
    Model("deepseek_v2", "DeepseekV2",
          shape(24, 4, 4, 40, 1e-6, rope(10000.0),
                **latent(q_lora_rank=20, n_routed_experts=8, num_experts_per_tok=3, n_shared_experts=2,
                         topk_method="group_limited_greedy", n_group=4, topk_group=2, routed_scaling_factor=2.0)),
          "deepseek2", dict(greedy=dict(topk_method="greedy"), scale=dict(routed_scaling_factor=1.0)),
          forms=("mla=absorbed", "mla=naive")),
    Model("deepseek_v2_lite", "DeepseekV2",
          shape(24, 3, 3, 40, 1e-6, rope(10000.0, **YARN, mscale=0.707, mscale_all_dim=0.707, beta_fast=32, beta_slow=1),
                **latent(q_lora_rank=None, n_routed_experts=6, num_experts_per_tok=2, n_shared_experts=1,
                         topk_method="greedy", routed_scaling_factor=1.0)),
          "deepseek2", dict(no_scaling=dict(rope_parameters=rope(10000.0))), forms=("mla=absorbed", "mla=naive")),
    Model("deepseek_v3", "DeepseekV3",
          shape(24, 4, 4, 40, 1e-6, rope(10000.0, **YARN, mscale=1.0, mscale_all_dim=1.0, beta_fast=32, beta_slow=1),
                **latent(q_lora_rank=20, n_routed_experts=8, num_experts_per_tok=3, n_shared_experts=1, n_group=4,
                         topk_group=2, routed_scaling_factor=2.5, norm_topk_prob=True)),
          "deepseek2", dict(groups=dict(topk_group=4), not_normed=dict(norm_topk_prob=False)),
          forms=("mla=absorbed", "mla=naive")),
    Model("deepseek_v3_plain", "DeepseekV3",
          shape(24, 3, 3, 32, 1e-6, rope(10000.0, **YARN, mscale=1.0, mscale_all_dim=0.5),
                **latent(q_lora_rank=None, n_routed_experts=4, num_experts_per_tok=2, n_shared_experts=2, n_group=2,
                         topk_group=1, routed_scaling_factor=1.5, norm_topk_prob=False, tie_word_embeddings=True,
                         rope_interleave=False)), "",
          dict(interleaved=dict(rope_interleave=True)), forms=("mla=absorbed", "mla=naive")),
)


def make_configuration(model):
    kind = model.kind + ("TextConfig" if model.kind == "Gemma3" else "Config")
    configuration = getattr(transformers, kind)(**model.settings)
    configuration.architectures = [model.kind + "ForCausalLM"]
    return configuration


def weight_scale(name, shape, tied):
    """Standard deviation of a random weight. Fan-in is the last dimension, but for gpt-oss' experts."""
    fan_in = shape[-2] if name.endswith(("experts.gate_up_proj", "experts.down_proj")) and "GptOss" in name else shape[-1]
    if "embed_tokens" in name:
        return 2.0 / math.sqrt(fan_in) if tied else 1.0
    if "lm_head" in name:
        return 2.0 / math.sqrt(fan_in)
    if any(part in name for part in ("q_proj", "k_proj", "q_b_proj", "qkv_proj", "kv_b_proj")):
        return 1.6 / math.sqrt(fan_in)
    if name.endswith(("mlp.gate.weight", "mlp.router.weight")):
        return 2.5 / math.sqrt(fan_in)
    return 1.2 / math.sqrt(fan_in)


def random_weight(name, shape, configuration, generator):
    if "norm" in name:
        low = -0.6 if configuration.model_type.startswith("gemma") else 0.4
        return generator.uniform(low, low + 1.2, shape)
    if name.endswith("correction_bias"):
        return generator.normal(0.0, 0.15, shape)
    if name.endswith(("bias", "sinks")):
        return generator.normal(0.0, 0.8, shape)
    return generator.normal(0.0, weight_scale(name, shape, configuration.tie_word_embeddings), shape)


def make_network(model, generator):
    """The network with random weights, already rounded to float16, in which the folder keeps them."""
    configuration = make_configuration(model)
    network = getattr(transformers, model.kind + "ForCausalLM")(configuration).to(torch.float16).eval()
    state = network.state_dict()
    for name in sorted(state):
        if configuration.tie_word_embeddings and name == "lm_head.weight":
            continue
        values = random_weight(f"{model.kind}.{name}", tuple(state[name].shape), configuration, generator)
        state[name].copy_(torch.from_numpy(values.astype(np.float32)))
    network.tie_weights()
    return network


def load_network(model, folder, **changes):
    """The network as transformers reads it from the folder, with changes of the configuration."""
    configuration = make_configuration(model)
    if model.reference_rope:
        changes = dict(rope_parameters={**configuration.rope_parameters, **model.reference_rope}) | changes
    settings = dict(model.settings) | changes
    changed = type(configuration)(**settings)
    plain = dict(attn_implementation="eager", experts_implementation="eager")
    kind = getattr(transformers, model.kind + "ForCausalLM")
    return kind.from_pretrained(folder, config=changed, dtype=torch.float32, **plain).eval()
