"""Write a Hugging Face folder as GGUF with the keys, names, shapes and row order of llama.cpp's converter.

Llama, Mistral and Mixtral become architecture `llama`, whose q and k rows are reordered so that the rotary
embedding turns neighbouring pairs; Qwen2 becomes `qwen2` and keeps its rows. Experts are stacked into one
three-dimensional tensor, norms, biases and the router stay float32, llama3 scaling becomes the tensor
rope_freqs.weight of divisors. One key goes beyond the converter: it drops Mistral's window, we write it.
"""

import json

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType, LlamaFileType
from safetensors import safe_open

from oracle_float64 import llama3_frequencies

FILE_TYPES = {
    "f32": (GGMLQuantizationType.F32, LlamaFileType.ALL_F32),
    "f16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    "bf16": (GGMLQuantizationType.BF16, LlamaFileType.MOSTLY_BF16),
    "q8_0": (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (GGMLQuantizationType.Q4_0, LlamaFileType.MOSTLY_Q4_0),
}


def stays_float32(name, values):
    """Vectors and routers are never stored in a smaller type. `name` is a Hugging Face name."""
    return values.ndim == 1 or name.endswith(("block_sparse_moe.gate.weight", "mlp.gate.weight"))


def through_type(values, file_type):
    """The float32 values that a reader gets back from a tensor stored in `file_type`."""
    quantization = FILE_TYPES[file_type][0]
    return gguf.quants.dequantize(gguf.quants.quantize(values, quantization), quantization)


def read_folder(folder):
    """Hugging Face name -> float32 array, in name order, from every safetensors file of the folder."""
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                tensors[name] = file.get_tensor(name).to(torch.float32).numpy()
    return dict(sorted(tensors.items()))


def neighbouring_pairs(values, heads):
    """Reorder the rows of each head from halves (i, i + D/2) to neighbours (2i, 2i + 1)."""
    by_half = values.reshape(heads, 2, -1, *values.shape[1:])        # [heads, half, D/2, ...]
    return np.ascontiguousarray(by_half.swapaxes(1, 2)).reshape(values.shape)


def stack_experts(tensors, experts):
    """Replace each block_sparse_moe.experts.N.wK by one tensor over all experts, under the stacked name."""
    stacked = {}
    for name, values in tensors.items():
        if ".experts." not in name:
            stacked[name] = values
            continue
        before, after = name.split(".block_sparse_moe.experts.")
        expert, matrix, _ = after.split(".")
        if expert == "0":
            parts = [tensors[f"{before}.block_sparse_moe.experts.{e}.{matrix}.weight"] for e in range(experts)]
            layer = before.removeprefix("model.")
            stacked[f"{layer}.feed_forward.experts.{matrix}.weight"] = np.stack(parts)
    return stacked


def rope_divisors(scaling, theta, head_size):
    """The content of rope_freqs.weight: what each frequency is divided by."""
    frequencies = theta ** (-np.arange(0, head_size, 2, dtype=np.float64) / head_size)
    return (frequencies / llama3_frequencies(frequencies, scaling)).astype(np.float32)


def add_sizes(writer, configuration, head_size, write_head_size):
    writer.add_block_count(configuration.num_hidden_layers)
    writer.add_context_length(configuration.max_position_embeddings)
    writer.add_embedding_length(configuration.hidden_size)
    writer.add_feed_forward_length(configuration.intermediate_size)
    writer.add_head_count(configuration.num_attention_heads)
    writer.add_head_count_kv(configuration.num_key_value_heads)
    writer.add_layer_norm_rms_eps(configuration.rms_norm_eps)
    if write_head_size:
        writer.add_key_length(head_size)
        writer.add_value_length(head_size)
    if configuration.model_type == "mixtral":
        writer.add_expert_count(configuration.num_local_experts)
        writer.add_expert_used_count(configuration.num_experts_per_tok)
    if configuration.model_type == "mistral":
        writer.add_sliding_window(configuration.sliding_window)
    if configuration.model_type != "qwen2":
        writer.add_vocab_size(configuration.vocab_size)
        writer.add_rope_dimension_count(head_size)


def add_rotary(writer, rotary):
    writer.add_rope_freq_base(rotary["rope_theta"])
    if rotary["rope_type"] in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(rotary["rope_type"]))
        writer.add_rope_scaling_factor(rotary["factor"])
    if rotary["rope_type"] == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rotary["original_max_position_embeddings"])
        writer.add_rope_scaling_yarn_beta_fast(rotary["beta_fast"])
        writer.add_rope_scaling_yarn_beta_slow(rotary["beta_slow"])


def add_dummy_vocabulary(writer, size):
    """A list of the right length, so that readers which check it are content. Texts have no meaning."""
    tokens = ["<unk>", "<s>", "</s>"] + [f"▁{index}" for index in range(3, size)]
    types = [gguf.TokenType.UNKNOWN] + [gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.NORMAL] * (size - 3)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 3 + [-float(index) for index in range(3, size)])
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)


def add_tensors(writer, tensors, configuration, file_type):
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2 if writer.arch == "qwen2" else gguf.MODEL_ARCH.LLAMA,
                                     configuration.num_hidden_layers)
    for name, values in stack_experts(tensors, getattr(configuration, "num_local_experts", 0)).items():
        if writer.arch == "llama" and ".q_proj." in name:
            values = neighbouring_pairs(values, configuration.num_attention_heads)
        if writer.arch == "llama" and ".k_proj." in name:
            values = neighbouring_pairs(values, configuration.num_key_value_heads)
        quantization = FILE_TYPES["f32" if stays_float32(name, values) else file_type][0]
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")),
                          gguf.quants.quantize(values, quantization), raw_dtype=quantization)


def write_gguf(path, model, configuration, folder, file_type):
    """Write `folder` to `path`; a model with gguf_split_tensors gives path-00001-of-0000N.gguf and so on."""
    architecture = "qwen2" if configuration.model_type == "qwen2" else "llama"
    writer = gguf.GGUFWriter(None, architecture, split_max_tensors=model.gguf_split_tensors)
    rotary = configuration.rope_parameters
    head_size = getattr(configuration, "head_dim", None)
    head_size = head_size or configuration.hidden_size // configuration.num_attention_heads
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(f"random {model.name}")
    add_sizes(writer, configuration, head_size, model.gguf_head_size and model.kind in ("Llama", "Mistral"))
    add_rotary(writer, rotary)
    writer.add_file_type(FILE_TYPES[file_type][1])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_dummy_vocabulary(writer, configuration.vocab_size)
    if rotary["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", rope_divisors(rotary, rotary["rope_theta"], head_size))
    add_tensors(writer, read_folder(folder), configuration, file_type)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
