"""Reads a demo model's GGUF file into transformers, from nothing but the file: shapes, weights and vocabulary.

The names and the row order are those of llama.cpp's converter for Llama and Mixtral, both of architecture "llama".
"""

import gguf
import numpy
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, MixtralConfig

LAYER_NAMES = {
    "input_layernorm.weight": "attn_norm.weight", "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight", "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight", "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight", "mlp.gate.weight": "ffn_gate_inp.weight",
    "mlp.experts.gate_up_proj": ("ffn_gate_exps.weight", "ffn_up_exps.weight"),
    "mlp.experts.down_proj": "ffn_down_exps.weight",
}
TOP_NAMES = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
             "lm_head.weight": "output.weight"}


def file_name(name):
    """transformers' name -> the GGUF file's, or a pair of names where the tensor is split in two."""
    if name in TOP_NAMES:
        return TOP_NAMES[name]
    layer, rest = name.removeprefix("model.layers.").split(".", 1)
    names = LAYER_NAMES[rest]
    return f"blk.{layer}.{names}" if isinstance(names, str) else tuple(f"blk.{layer}.{part}" for part in names)


def heads_of(name, config):
    """Heads whose rows are reordered in the tensor of this GGUF name; 0 where none are."""
    if name.endswith("attn_q.weight"):
        return config.num_attention_heads
    return config.num_key_value_heads if name.endswith("attn_k.weight") else 0


def unpair_rows(values, heads):
    """The inverse of pair_rows."""
    pairs = values.reshape(heads, -1, 2, values.shape[-1])
    return numpy.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(values.shape)


def metadata(reader, key):
    """The value of a key, or None."""
    field = reader.get_field(key)
    return None if field is None else field.contents()


def read_config(reader, tied):
    """The transformers configuration that the file's metadata describe."""
    def number(key):
        return metadata(reader, f"llama.{key}")

    shared = dict(
        vocab_size=len(metadata(reader, "tokenizer.ggml.tokens")), max_position_embeddings=number("context_length"),
        hidden_size=number("embedding_length"), num_hidden_layers=number("block_count"),
        intermediate_size=number("feed_forward_length"), num_attention_heads=number("attention.head_count"),
        num_key_value_heads=number("attention.head_count_kv"), head_dim=number("attention.key_length"),
        rms_norm_eps=number("attention.layer_norm_rms_epsilon"), tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": number("rope.freq_base")},
        bos_token_id=metadata(reader, "tokenizer.ggml.bos_token_id"),
        eos_token_id=metadata(reader, "tokenizer.ggml.eos_token_id"))
    if number("expert_count") is None:
        return LlamaConfig(**shared)
    return MixtralConfig(**shared, num_local_experts=number("expert_count"), sliding_window=None,
                         num_experts_per_tok=number("expert_used_count"))


def read_tokenizer(path):
    """The byte-level BPE tokenizer of the file, for text without special tokens."""
    reader = gguf.GGUFReader(path)
    tokens, merges = metadata(reader, "tokenizer.ggml.tokens"), metadata(reader, "tokenizer.ggml.merges")
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)},
                                     merges=[tuple(merge.split(" ")) for merge in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def read_model(path):
    """A float32 transformers model with the file's dequantised weights and plain attention."""
    reader = gguf.GGUFReader(path)
    tensors = {tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
               for tensor in reader.tensors}
    config = read_config(reader, "output.weight" not in tensors)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            names = file_name(name)
            parts = [tensors.pop(part) for part in (names if isinstance(names, tuple) else (names,))]
            heads = heads_of(names, config) if isinstance(names, str) else 0
            values = numpy.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
            values = unpair_rows(values, heads) if heads else values
            if values.shape != tuple(parameter.shape):
                raise SystemExit(f"{path}: {names} is {values.shape}, the metadata ask for {tuple(parameter.shape)}")
            parameter.copy_(torch.from_numpy(values))
    if tensors:
        raise SystemExit(f"{path}: tensors without a place in the model: {sorted(tensors)}")
    return model.eval()
