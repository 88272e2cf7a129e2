"""Two models for the search of layers: one in which two neighbouring layers have the same weights, and the same without the
second of them.  Executing the first one twice makes the second model compute what the first does, exactly.

Random weights with a fixed seed, an alphabet as vocabulary, no packages.
"""
import array
import random
import struct

WIDTH, INNER, HEADS, CONTEXT = 32, 64, 4, 2048
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,\u0120"  # the last one is a space
SPREAD = 4.0  # of the logits: text then says which layers wrote it
U32, F32, TEXT, ARRAY, I32 = 4, 6, 8, 9, 5
ALIGNMENT = 32


def matrix(numbers, rows, columns, spread=1.0):
    """Keeps the variance of its input times spread squared."""
    scale = spread / columns ** 0.5
    return (columns, rows), array.array("f", (numbers.gauss(0, scale) for _ in range(rows * columns)))


def ones():
    return (WIDTH,), array.array("f", [1.0] * WIDTH)


def make_layer(numbers):
    return {"attn_norm": ones(), "ffn_norm": ones(), "attn_q": matrix(numbers, WIDTH, WIDTH),
            "attn_k": matrix(numbers, WIDTH, WIDTH), "attn_v": matrix(numbers, WIDTH, WIDTH),
            "attn_output": matrix(numbers, WIDTH, WIDTH), "ffn_gate": matrix(numbers, INNER, WIDTH),
            "ffn_up": matrix(numbers, INNER, WIDTH), "ffn_down": matrix(numbers, WIDTH, INNER)}


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def texts(values):
    return struct.pack("<IQ", TEXT, len(values)) + b"".join(map(text, values))


def metadata(layers):
    tokens = [*ALPHABET, "<end>"]
    u32 = lambda value: (U32, struct.pack("<I", value))
    return {"general.architecture": (TEXT, text("llama")), "llama.block_count": u32(layers),
            "llama.context_length": u32(CONTEXT), "llama.embedding_length": u32(WIDTH),
            "llama.feed_forward_length": u32(INNER), "llama.attention.head_count": u32(HEADS),
            "llama.attention.head_count_kv": u32(HEADS), "llama.rope.dimension_count": u32(WIDTH // HEADS),
            "llama.attention.layer_norm_rms_epsilon": (F32, struct.pack("<f", 1e-5)),
            "tokenizer.ggml.model": (TEXT, text("gpt2")), "tokenizer.ggml.pre": (TEXT, text("gpt-2")),
            "tokenizer.ggml.tokens": (ARRAY, texts(tokens)), "tokenizer.ggml.merges": (ARRAY, texts([])),
            "tokenizer.ggml.token_type": (ARRAY, struct.pack(f"<IQ{len(tokens)}i", I32, len(tokens),
                                                             *[1] * len(ALPHABET), 3)),
            "tokenizer.ggml.eos_token_id": u32(len(ALPHABET))}


def write_gguf(path, layers, shared):
    tensors = dict(shared)
    for number, layer in enumerate(layers):
        tensors |= {f"blk.{number}.{name}.weight": tensor for name, tensor in layer.items()}
    keys = metadata(len(layers))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    head += b"".join(text(key) + struct.pack("<I", kind) + value for key, (kind, value) in keys.items())
    data = b""
    for name, (shape, values) in tensors.items():
        data += bytes(-len(data) % ALIGNMENT)
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))
        data += values.tobytes()
    path.write_bytes(head + bytes(-len(head) % ALIGNMENT) + data)


def write_models(whole, planted, layers, twin, seed):
    """`whole`: `layers` layers of which `twin` and the next have the same weights; `planted`: without the next."""
    numbers = random.Random(seed)
    vocabulary = len(ALPHABET) + 1
    shared = {"token_embd.weight": matrix(numbers, vocabulary, WIDTH, WIDTH ** 0.5), "output_norm.weight": ones(),
              "output.weight": matrix(numbers, vocabulary, WIDTH, SPREAD)}
    distinct = [make_layer(numbers) for _ in range(layers - 1)]
    write_gguf(whole, distinct[:twin + 1] + distinct[twin:], shared)
    write_gguf(planted, distinct, shared)
