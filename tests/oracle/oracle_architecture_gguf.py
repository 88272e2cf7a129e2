"""Write a Hugging Face folder of one of the further architectures as GGUF (f32), as llama.cpp's converter would.

Names come from the gguf package. What the converter does to numbers: Gemma's norms become 1 + weight, experts are
stacked, the gate of a shared expert loses its dimension of one, gpt-oss' gate and up are taken apart and transposed,
DeepSeek's kv_b is split into k_b (transposed) and v_b.
"""

import gguf
import numpy as np

from oracle_gguf import add_dummy_vocabulary, read_folder

ARCHITECTURES = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}


def stack_experts(tensors):
    stacked = {}
    for name, values in tensors.items():
        before, separator, after = name.partition(".mlp.experts.")
        index, _, matrix = after.partition(".")
        if not separator or not index.isdigit():
            stacked[name] = values
        elif index == "0":
            count = sum(key.startswith(before + ".mlp.experts.") and key.endswith(matrix) for key in tensors)
            parts = [tensors[f"{before}.mlp.experts.{e}.{matrix}"] for e in range(count)]
            stacked[f"{before}.mlp.experts.{matrix}"] = np.stack(parts)
    return stacked


def take_apart(name, values, configuration):
    """The tensors that become of one: pairs of a name (Hugging Face's, or GGUF's if it begins with blk) and numbers."""
    kind, layer = configuration.model_type, name.split(".")[2] if ".layers." in name else ""
    if kind.startswith("gemma") and "norm" in name:
        return [(name, values + 1)]
    if name.endswith("shared_expert_gate.weight"):
        return [(name, values[0])]
    if name.endswith("experts.gate_up_proj"):
        gate, up = (np.ascontiguousarray(values[:, :, i::2].swapaxes(1, 2)) for i in (0, 1))
        return [(f"blk.{layer}.ffn_gate_exps.weight", gate), (f"blk.{layer}.ffn_up_exps.weight", up)]
    if name.endswith("experts.gate_up_proj_bias"):
        return [(f"blk.{layer}.ffn_{part}_exps.bias", np.ascontiguousarray(values[:, i::2]))
                for i, part in enumerate(("gate", "up"))]
    if name.endswith("experts.down_proj"):
        return [(f"blk.{layer}.ffn_down_exps.weight", np.ascontiguousarray(values.swapaxes(1, 2)))]
    if name.endswith("experts.down_proj_bias"):
        return [(f"blk.{layer}.ffn_down_exps.bias", values)]
    if name.endswith("self_attn.sinks"):
        return [(f"blk.{layer}.attn_sinks.weight", values)]
    if name.endswith("e_score_correction_bias"):
        return [(f"blk.{layer}.exp_probs_b.bias", values)]
    if name.endswith("kv_b_proj.weight"):
        split = values.reshape(configuration.num_attention_heads, -1, values.shape[-1])
        plain = configuration.qk_nope_head_dim
        return [(f"blk.{layer}.attn_k_b.weight", np.ascontiguousarray(split[:, :plain].swapaxes(1, 2))),
                (f"blk.{layer}.attn_v_b.weight", np.ascontiguousarray(split[:, plain:]))]
    return [(name, values)]


def add_tensors(writer, configuration, folder):
    names = gguf.get_tensor_name_map(ARCHITECTURES[writer.arch], configuration.num_hidden_layers)
    for name, values in stack_experts(read_folder(folder)).items():
        for part, numbers in take_apart(name, values, configuration):
            known = part if part.startswith("blk.") else names.get_name(part, try_suffixes=(".weight", ".bias"))
            if known is None:
                raise SystemExit(f"{writer.arch}: gguf has no name for {part}")
            writer.add_tensor(known, numbers.astype(np.float32))


def add_sizes(writer, c):
    writer.add_block_count(c.num_hidden_layers)
    writer.add_context_length(c.max_position_embeddings)
    writer.add_embedding_length(c.hidden_size)
    writer.add_feed_forward_length(c.intermediate_size)
    writer.add_head_count(c.num_attention_heads)
    writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    writer.add_vocab_size(c.vocab_size)
    if not c.model_type.startswith("deepseek"):
        writer.add_head_count_kv(c.num_key_value_heads)
    if c.model_type in ("qwen3", "qwen3_moe", "gemma2", "gemma3_text", "gpt_oss"):
        writer.add_key_length(c.head_dim)
        writer.add_value_length(c.head_dim)
    if getattr(c, "sliding_window", None):
        writer.add_sliding_window(c.sliding_window)
    if c.model_type == "gemma2":
        writer.add_attn_logit_softcapping(c.attn_logit_softcapping)
        writer.add_final_logit_softcapping(c.final_logit_softcapping)
    if c.model_type == "phi3":
        writer.add_rope_dimension_count(c.hidden_size // c.num_attention_heads)
        writer.add_rope_scaling_orig_ctx_len(c.original_max_position_embeddings)


def add_experts(writer, c):
    experts = next((getattr(c, key) for key in ("n_routed_experts", "num_local_experts", "num_experts")
                    if getattr(c, key, None)), 0)
    if not experts:
        return
    writer.add_expert_count(experts)
    writer.add_expert_used_count(c.num_experts_per_tok)
    if c.model_type != "olmoe":
        writer.add_expert_feed_forward_length(getattr(c, "moe_intermediate_size", c.intermediate_size))
    if c.model_type == "qwen2_moe":
        writer.add_expert_shared_feed_forward_length(c.shared_expert_intermediate_size)


def add_latent(writer, c):
    writer.add_head_count_kv(1)
    writer.add_leading_dense_block_count(c.first_k_dense_replace)
    if c.q_lora_rank:
        writer.add_q_lora_rank(c.q_lora_rank)
    writer.add_kv_lora_rank(c.kv_lora_rank)
    writer.add_key_length(c.kv_lora_rank + c.qk_rope_head_dim)
    writer.add_value_length(c.kv_lora_rank)
    writer.add_key_length_mla(c.qk_nope_head_dim + c.qk_rope_head_dim)
    writer.add_value_length_mla(c.v_head_dim)
    writer.add_expert_shared_count(c.n_shared_experts)
    writer.add_expert_weights_scale(c.routed_scaling_factor)
    third = c.model_type == "deepseek_v3"
    writer.add_expert_weights_norm(third and c.norm_topk_prob)
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID if third else gguf.ExpertGatingFuncType.SOFTMAX)
    if (c.n_group or 1) > 1:
        writer.add_expert_group_count(c.n_group)
        writer.add_expert_group_used_count(c.topk_group)
    writer.add_rope_dimension_count(c.qk_rope_head_dim)


def add_rotary(writer, c):
    rotary = c.rope_parameters.get("full_attention", c.rope_parameters)
    if c.model_type != "gemma2":
        writer.add_rope_freq_base(rotary["rope_theta"])
    kind = rotary["rope_type"]
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(rotary["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rotary["original_max_position_embeddings"])
    if rotary.get("mscale_all_dim"):
        writer.add_rope_scaling_yarn_log_mul(0.1 * rotary["mscale_all_dim"])
    if kind == "longrope":
        original = c.original_max_position_embeddings
        factor = c.max_position_embeddings / original
        writer.add_rope_scaling_attn_factors(np.sqrt(1 + np.log(factor) / np.log(original)) if factor > 1 else 1.0)
        for length in ("long", "short"):
            writer.add_tensor(f"rope_factors_{length}.weight", np.array(rotary[f"{length}_factor"], np.float32))


def write_gguf(path, name, configuration, folder):
    writer = gguf.GGUFWriter(path, name)
    writer.add_name(f"random {name}")
    add_sizes(writer, configuration)
    add_experts(writer, configuration)
    if configuration.model_type.startswith("deepseek"):
        add_latent(writer, configuration)
    add_rotary(writer, configuration)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_dummy_vocabulary(writer, configuration.vocab_size)
    add_tensors(writer, configuration, folder)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
