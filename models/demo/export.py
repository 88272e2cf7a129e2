"""Writes the trained demo models as GGUF, q8_0, with the names, keys and row order of llama.cpp's converter.

    python export.py OUT FOLDER         OUT/dense, OUT/moe and OUT/tokenizer.json -> FOLDER/demo-dense.gguf, demo-moe.gguf

Each file is read back at once: every tensor must agree with the checkpoint within what q8_0 can lose, and the
dequantised weights, put back into transformers, are scored on the held-out stories.
"""

import argparse
import json
import pathlib

import gguf
import numpy
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

import corpus
from demo_reader import file_name, heads_of, read_model, read_tokenizer
from evaluate import BEGIN, END, report

Q8_0 = gguf.GGMLQuantizationType.Q8_0
BLOCK = 32
BOTH_FILES_BYTES = 8_000_000
# Half a step of the int8 grid, and the rounding of the float16 scale times the largest int8.
Q8_0_ERROR_SHARE = 0.5 + 127 * 2.0 ** -11
def pair_rows(values, heads):
    """Rows of a head from rotary halves (i, i + D/2) to neighbours (2i, 2i + 1)."""
    halves = values.reshape(heads, 2, -1, values.shape[-1])
    return numpy.ascontiguousarray(halves.swapaxes(1, 2)).reshape(values.shape)


def file_tensors(model):
    """GGUF name -> float32 array in the file's row order."""
    tensors = {}
    for name, parameter in model.named_parameters():
        values, names = parameter.detach().numpy(), file_name(name)
        if isinstance(names, tuple):
            tensors.update(zip(names, numpy.split(values, 2, axis=1)))      # [experts, gate rows then up rows, columns]
        else:
            heads = heads_of(names, model.config)
            tensors[names] = pair_rows(values, heads) if heads else values
    return tensors


def is_quantised(name):
    return not name.endswith(("norm.weight", "ffn_gate_inp.weight"))


def add_shapes(writer, config):
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if hasattr(config, "num_local_experts"):
        writer.add_expert_count(config.num_local_experts)
        writer.add_expert_used_count(config.num_experts_per_tok)


def add_tokenizer(writer, path):
    model = json.loads(path.read_text(encoding="utf-8"))["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    special = (BEGIN, END)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_bos_token_id(tokens.index(BEGIN))
    writer.add_eos_token_id(tokens.index(END))
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)


def write_file(path, kind, model, tokenizer_path):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("model")
    writer.add_name(f"Hone demo {kind}")
    writer.add_description("Trained on small stories drawn from the grammar beside this file")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_shapes(writer, model.config)
    add_tokenizer(writer, tokenizer_path)
    for name, values in sorted(file_tensors(model).items()):
        if is_quantised(name):
            writer.add_tensor(name, gguf.quants.quantize(values, Q8_0), raw_dtype=Q8_0)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_weights(read_back, checkpoint):
    """Largest error as a share of what q8_0 may lose; every parameter of the two models is compared."""
    worst, originals = 0.0, dict(checkpoint.named_parameters())
    for name, parameter in read_back.named_parameters():
        got, wanted = parameter.detach().numpy(), originals.pop(name).detach().numpy()
        names = file_name(name)
        if not is_quantised(names if isinstance(names, str) else names[0]):
            if not numpy.array_equal(got, wanted):
                raise SystemExit(f"{name}: float32 values changed on the way through the file")
            continue
        error, blocks = numpy.abs(got - wanted).reshape(-1, BLOCK), numpy.abs(wanted).reshape(-1, BLOCK)
        allowed = blocks.max(axis=1, keepdims=True) / 127 * Q8_0_ERROR_SHARE
        worst = max(worst, float((error / numpy.maximum(allowed, 1e-12)).max()))
    if originals or worst > 1:
        raise SystemExit(f"the file does not hold the checkpoint: missing {list(originals)}, error share {worst:.3f}")
    return worst


def check_tokenizer(path, wanted, rows):
    """The vocabulary in the file must split the held-out stories as the trained one does."""
    got = read_tokenizer(path)
    for row in rows:
        if got.encode(row["text"]).ids != wanted.encode(row["text"]).ids:
            raise SystemExit(f"{path}: the vocabulary in the file splits a story otherwise: {row['text']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(arguments.out / "tokenizer.json"))
    rows = corpus.read_stories(arguments.out / "heldout.jsonl")
    total_bytes = 0
    for kind in ("dense", "moe"):
        checkpoint = AutoModelForCausalLM.from_pretrained(arguments.out / kind, dtype=torch.float32)
        path = arguments.folder / f"demo-{kind}.gguf"
        write_file(path, kind, checkpoint, arguments.out / "tokenizer.json")
        read_back = read_model(path)
        check_tokenizer(path, tokenizer, rows)
        total_bytes += path.stat().st_size
        print(f"{path.name}: {path.stat().st_size} bytes, {checkpoint.num_parameters()} parameters, largest error "
              f"{check_weights(read_back, checkpoint):.3f} of the bound")
        print(" float32:", report(checkpoint.eval(), tokenizer, rows))
        print(" q8_0:   ", report(read_back, tokenizer, rows))
    if total_bytes > BOTH_FILES_BYTES:
        raise SystemExit(f"the two files have {total_bytes} bytes, more than {BOTH_FILES_BYTES}")


if __name__ == "__main__":
    main()
