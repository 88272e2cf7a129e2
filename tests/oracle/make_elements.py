"""Write blocks of every GGUF element type with the values that the gguf package decodes them to.

usage: make_elements.py --seed S --out DIR

DIR gets elements.gguf.  For each type T of the table below it holds "T.blocks" (random bytes as type T) and "T.values"
(the same decoded, f32); where the package can quantise T, also "T.source" (f32) and "T.quantised" (the source as T).
For the 8-bit floats, which GGUF does not have, "T.codes" are all 256 bytes (i8), "T.values" what PyTorch takes them
for, "T.source" numbers of all sizes (f32) and "T.rounded" the codes PyTorch rounds them to.
"""

import argparse
import importlib.metadata
import pathlib

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

BLOCKS = 8
# Bytes of a block where an f16 begins: random bits there would mostly be huge numbers, infinities and NaN.
HALVES = {Type.Q8_0: [0], Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.IQ4_NL: [0],
          Type.MXFP4: [], Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
          Type.IQ4_XS: [0]}
QUANTISED = [Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.MXFP4]


def name_of(kind):
    return kind.name.lower().replace("_k", "_K")


def random_blocks(kind, random):
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for at in HALVES[kind]:
        scales = (random.normal(size=BLOCKS) * 2.0 ** random.integers(-20, 4, BLOCKS)).astype(np.float16)
        blocks[:, at:at + 2] = scales.reshape(BLOCKS, 1).view(np.uint8)
    return blocks


def random_source(random):
    """Rows of different sizes; the last has zeros, ties and an outlier."""
    rows = random.normal(size=(BLOCKS, 32)) * 2.0 ** random.integers(-12, 6, (BLOCKS, 1))
    rows[-1] = 0
    rows[-2, :8] = [8, -8, 0.5, -0.5, 1.5, 7.5, 100, 0]
    return rows.astype(np.float32)


def add_type(writer, kind, random):
    blocks = random_blocks(kind, random)
    values = gguf.quants.dequantize(blocks, kind).astype(np.float32)
    writer.add_tensor(f"{name_of(kind)}.blocks", blocks, raw_dtype=kind)
    writer.add_tensor(f"{name_of(kind)}.values", values)
    if kind in QUANTISED:
        source = random_source(random)
        writer.add_tensor(f"{name_of(kind)}.source", source)
        writer.add_tensor(f"{name_of(kind)}.quantised", gguf.quants.quantize(source, kind), raw_dtype=kind)


def add_small_float(writer, name, kind, random):
    codes = np.arange(256, dtype=np.uint8)
    source = (random.normal(size=2048) * 2.0 ** random.integers(-20, 9, 2048)).astype(np.float32)
    middles = torch.from_numpy(codes[:0x7b].copy()).view(kind).float().numpy()
    source[:0x7a] = (middles[1:] + middles[:-1]) / 2
    largest = torch.finfo(kind).max
    source = np.clip(source, -largest, largest)
    writer.add_tensor(f"{name}.codes", codes.view(np.int8))
    writer.add_tensor(f"{name}.values", torch.from_numpy(codes.copy()).view(kind).float().numpy())
    writer.add_tensor(f"{name}.source", source)
    rounded = torch.from_numpy(source).to(kind).view(torch.uint8).numpy()
    writer.add_tensor(f"{name}.rounded", rounded.view(np.int8))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(options.seed)
    writer = gguf.GGUFWriter(options.out / "elements.gguf", "elements")
    writer.add_uint32("elements.seed", options.seed)
    writer.add_string("elements.made_by", f"gguf {importlib.metadata.version('gguf')}, "
                                          f"numpy {np.__version__}, torch {torch.__version__.split('+')[0]}")
    for kind in HALVES:
        add_type(writer, kind, random)
    add_small_float(writer, "f8_e4m3", torch.float8_e4m3fn, random)
    add_small_float(writer, "f8_e5m2", torch.float8_e5m2, random)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
