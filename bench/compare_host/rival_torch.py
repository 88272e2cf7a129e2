"""PyTorch measured on the shape of a Llama model: bf16 weights, compiled, keys and values kept in place.

usage: rival_torch.py rates MODEL.gguf --threads N [--prompt 512] [--generate 64]

Run by a Python that has torch and gguf; one JSON document on standard output. The shape is read from the file, the weights
are random: speed does not depend on them. The prompt and the single token are two compiled graphs; compiling is part of the
warm-up, which does not count. `load_seconds` is of making the weights, and compares with nothing.
"""
import argparse
import json
import time

import gguf
import torch
from torch import nn
from torch.nn import functional


class Shape:
    def __init__(self, path):
        fields = gguf.GGUFReader(path).fields
        name = fields["general.architecture"].contents()
        if name != "llama":
            raise SystemExit(f"{path}: the model written here is Llama's, not {name}'s")

        def number(key):
            return fields[f"llama.{key}"].contents()

        self.layers, self.width, self.inner = number("block_count"), number("embedding_length"), number("feed_forward_length")
        self.heads, self.kv_heads = number("attention.head_count"), number("attention.head_count_kv")
        self.head = self.width // self.heads
        self.vocabulary = len(fields["tokenizer.ggml.tokens"].data)


def rotate(x, cosine, sine):
    """x [heads, rows, head]; pairs are the two halves."""
    first, second = x.chunk(2, -1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1)


class Layer(nn.Module):
    def __init__(self, shape, context):
        super().__init__()
        self.shape = shape
        kv = shape.kv_heads * shape.head
        self.norm, self.inner_norm = nn.RMSNorm(shape.width), nn.RMSNorm(shape.width)
        self.qkv = nn.Linear(shape.width, shape.width + 2 * kv, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.opening = nn.Linear(shape.width, 2 * shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)
        self.register_buffer("keys", torch.zeros(shape.kv_heads, context, shape.head))
        self.register_buffer("values", torch.zeros(shape.kv_heads, context, shape.head))

    def forward(self, x, positions, cosine, sine, mask):
        """x [rows, width]; mask [rows, context]."""
        shape, rows = self.shape, x.shape[0]
        heads = self.qkv(self.norm(x)).view(rows, -1, shape.head).transpose(0, 1)
        q, k, v = heads.split((shape.heads, shape.kv_heads, shape.kv_heads))
        self.keys.index_copy_(1, positions, rotate(k, cosine, sine))
        self.values.index_copy_(1, positions, v)
        mixed = functional.scaled_dot_product_attention(rotate(q, cosine, sine)[None], self.keys[None], self.values[None],
                                                        attn_mask=mask, enable_gqa=True)[0]
        x = x + self.out(mixed.transpose(0, 1).reshape(rows, -1))
        gate, up = self.opening(self.inner_norm(x)).chunk(2, -1)
        return x + self.down(functional.silu(gate) * up)


class Model(nn.Module):
    def __init__(self, shape, context):
        super().__init__()
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape, context) for _ in range(shape.layers))
        self.norm, self.head = nn.RMSNorm(shape.width), nn.Linear(shape.width, shape.vocabulary, bias=False)
        angles = torch.outer(torch.arange(context), 1e4 ** (-torch.arange(0, shape.head, 2) / shape.head))
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())
        self.register_buffer("reach", torch.ones(context, context, dtype=torch.bool).tril())

    def forward(self, tokens, positions):
        """Logits [vocabulary] of the last of tokens [rows]."""
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, positions, self.cosine[positions], self.sine[positions], self.reach[positions])
        return self.head(self.norm(x[-1]))


def status_bytes(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))


def time_phases(model, tokens, generate):
    positions = torch.arange(len(tokens) + generate)
    start = time.perf_counter()
    model(tokens, positions[:len(tokens)])
    prompt = time.perf_counter() - start
    start = time.perf_counter()
    for step in range(generate):
        model(tokens[:1], positions[len(tokens) + step:len(tokens) + step + 1])
    return prompt, time.perf_counter() - start


@torch.no_grad()
def rates(options):
    before, start = status_bytes("VmRSS"), time.perf_counter()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    shape = Shape(options.model)
    torch.set_default_dtype(torch.bfloat16)
    model = Model(shape, options.prompt + options.generate)
    load = time.perf_counter() - start
    tokens = torch.randint(shape.vocabulary, (options.prompt,))
    compiled = torch.compile(model, dynamic=False, fullgraph=True)
    time_phases(compiled, tokens, 2)
    prompt, generation = time_phases(compiled, tokens, options.generate)
    return {"prefill_tokens_per_second": options.prompt / prompt, "decode_tokens_per_second": options.generate / generation,
            "load_seconds": load, "peak_memory_bytes": status_bytes("VmHWM"), "memory_before_bytes": before,
            "version": torch.__version__}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("rates",))
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    print(json.dumps(rates(parser.parse_args())))


main()
