"""Write random models whose Hugging Face folders hold codes and scales, and transformers' logits for them.

usage: make_folders.py --seed S --out DIR [MODEL ...]

The format of the vectors is that of make_architectures.py. Each row of FOLDERS says which matrices are packed how: fp8
with one scale, a scale per row or per tile of 128 by 128, int8, GPTQ's and AWQ's words of eight nibbles, mxfp4, nvfp4. The
reference computes with what the packed bits stand for by the formulas below, which know nothing of Hone's blocks.
"""

import argparse
import copy
import importlib.metadata
import json
import pathlib
import shutil

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from make_architectures import CaseMaker, PACKAGES, map_case
from oracle_cases import prefill_logits, round_up
from oracle_architectures import Model, YARN, latent, load_network, make_network, rope, shape

TILE = 128
ROUNDED_FACTOR = 5
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]     # nibble k of a word is this one of its eight rows
GROUP = 128


def small_float(codes, exponent_bits, fraction_bits):
    """What bytes of sign, exponent and fraction stand for (no infinities are made here)."""
    codes = codes.astype(np.int32)
    bias = 2 ** (exponent_bits - 1) - 1
    exponent, fraction = codes >> fraction_bits & 2 ** exponent_bits - 1, codes & 2 ** fraction_bits - 1
    normal = (1 + fraction / 2 ** fraction_bits) * 2.0 ** (exponent - bias)
    tiny = fraction / 2 ** fraction_bits * 2.0 ** (1 - bias)
    return np.where(codes >> 7 & 1, -1, 1) * np.where(exponent, normal, tiny)


KINDS = {"e4m3": (torch.float8_e4m3fn, 448, (4, 3)), "e5m2": (torch.float8_e5m2, 57344, (5, 2))}


def scales_for(weight, layout, most):
    """One scale, one per row, or one per tile."""
    rows, columns = weight.shape
    if layout == "tensor":
        return np.array([np.abs(weight).max() / most], np.float32)
    if layout == "row":
        return (np.abs(weight).max(1, keepdims=True) / most).astype(np.float32)
    tiles = np.zeros((-(-rows // TILE), -(-columns // TILE)), np.float32)
    for i, j in np.ndindex(tiles.shape):
        tiles[i, j] = np.abs(weight[i * TILE:(i + 1) * TILE, j * TILE:(j + 1) * TILE]).max() / most
    return tiles


def pack_bytes(name, weight, kind, layout, scale_type=torch.float32):
    most = 127 if kind == "i8" else KINDS[kind][1]
    scale = scales_for(weight, layout, most)
    stored = torch.from_numpy(scale).to(scale_type)
    each = stored.float().numpy()
    if layout == "tile":
        each = each.repeat(TILE, 0).repeat(TILE, 1)[:weight.shape[0], :weight.shape[1]]
    if kind == "i8":
        codes = torch.from_numpy(np.clip(np.rint(weight / each), -127, 127).astype(np.int8))
        values = codes.numpy().astype(np.float32)
    else:
        codes = torch.from_numpy(np.clip(weight / each, -most, most).astype(np.float32)).to(KINDS[kind][0])
        values = small_float(codes.view(torch.uint8).numpy(), *KINDS[kind][2]).astype(np.float32)
    suffix = "weight_scale_inv" if layout == "tile" else "weight_scale"
    return {name: codes, name.removesuffix("weight") + suffix: stored}, values * each


def groups_of(weight, generator):
    """Codes 0 to 15, float16 scales and zeros for groups of columns: [groups, rows]."""
    rows, columns = weight.shape
    group = min(GROUP, columns)
    parts = weight.reshape(rows, columns // group, group)
    scale = (np.abs(parts).max(2) / 7).astype(np.float16)
    zero = generator.integers(6, 10, scale.shape)
    codes = np.clip(np.rint(parts / scale[:, :, None].astype(np.float32)) + zero[:, :, None], 0, 15).astype(np.int64)
    values = (codes - zero[:, :, None]).astype(np.float32) * scale[:, :, None].astype(np.float32)
    return codes.reshape(rows, columns), scale.T, zero.T, values.reshape(rows, columns), group


def words(nibbles, order=range(8)):
    """Eight nibbles of the last dimension in one word, nibble k being number order[k]."""
    parts = nibbles.reshape(*nibbles.shape[:-1], -1, 8).astype(np.uint64)
    packed = sum(parts[..., number] << np.uint64(4 * k) for k, number in enumerate(order))
    return torch.from_numpy(packed.astype(np.uint32).view(np.int32).copy())


def pack_gptq(name, weight, generator):
    codes, scale, zero, values, group = groups_of(weight, generator)
    stem = name.removesuffix("weight")
    columns = weight.shape[1]
    return {stem + "qweight": words(codes).T.contiguous(), stem + "qzeros": words(zero - 1 & 15),
            stem + "scales": torch.from_numpy(scale.copy()),
            stem + "g_idx": torch.arange(columns, dtype=torch.int32) // group,
            stem + "bias": torch.zeros(weight.shape[0], dtype=torch.float16)}, values


def pack_awq(name, weight, generator):
    codes, scale, zero, values, _ = groups_of(weight, generator)
    stem = name.removesuffix("weight")
    return {stem + "qweight": words(codes.T, AWQ_ORDER), stem + "qzeros": words(zero, AWQ_ORDER),
            stem + "scales": torch.from_numpy(scale.copy())}, values


def pack_mxfp4(name, weight, generator):
    """Of [experts, columns, rows], as transformers holds them; blocks lie along the columns."""
    turned = weight.transpose(0, 2, 1)
    parts = turned.reshape(*turned.shape[:2], -1, 32)
    exponent = np.floor(np.log2(np.abs(parts).max(3))).astype(np.int32) - 2
    unit = np.exp2(exponent.astype(np.float32))[..., None]
    codes = np.abs((parts / unit)[..., None] - E2M1).argmin(-1).astype(np.uint8)
    values = (E2M1[codes] * unit).reshape(turned.shape).transpose(0, 2, 1)
    return {name + "_blocks": torch.from_numpy(codes[..., 0::2] | codes[..., 1::2] << 4),
            name + "_scales": torch.from_numpy((exponent + 127).astype(np.uint8))}, values


def pack_nvfp4(name, weight, generator, compressed=False):
    """With ModelOpt's names, or those of compressed-tensors, which keeps the reciprocal of the tensor's scale."""
    stem, module = name.removesuffix("weight"), name.split(".")[-2]
    parts = weight.reshape(weight.shape[0], -1, 16)
    factor = np.float32(np.abs(weight).max() / (6 * 448))
    inverse = np.float32(1) / factor
    scale = torch.from_numpy(np.abs(parts).max(2) / 6 / factor).to(torch.float8_e4m3fn)
    each = small_float(scale.view(torch.uint8).numpy(), 4, 3).astype(np.float32)
    each = (each / inverse if compressed else each * factor)[..., None]
    codes = np.abs((parts / np.maximum(each, 1e-30))[..., None] - E2M1).argmin(-1).astype(np.uint8)
    values = (E2M1[codes] * each).reshape(weight.shape)
    codes = codes.reshape(weight.shape)
    packed = torch.from_numpy(codes[:, 0::2] | codes[:, 1::2] << 4)
    if compressed:
        return {stem + "weight_packed": packed, stem + "weight_scale": scale,
                stem + "weight_global_scale": torch.tensor([inverse]),
                stem + "input_global_scale": torch.tensor([9.0])}, values
    stored = {stem + "weight": packed, stem + "weight_scale": scale, stem + "weight_scale_2": torch.tensor(factor),
              stem + "input_scale": torch.tensor(0.25)}
    if module in ("k_proj", "v_proj"):
        stored[stem + module[0] + "_scale"] = torch.tensor(0.5)
    return stored, values


def pack_compressed_nvfp4(name, weight, generator):
    return pack_nvfp4(name, weight, generator, compressed=True)


NARROW = dict(num_bits=4, type="float", group_size=16, dynamic=False)

COMPRESSED = {"q_proj": ("e4m3", "tensor", torch.bfloat16), "k_proj": ("e4m3", "row", torch.bfloat16),
              "v_proj": ("e5m2", "row"), "o_proj": ("i8", "row"), "gate_proj": ("e4m3", "row"), "up_proj": ("i8", "tensor")}


def pack_compressed(name, weight, generator):
    return pack_bytes(name, weight, *COMPRESSED[name.split(".")[-2]])


def pack_tiles(name, weight, generator):
    return pack_bytes(name, weight, "e4m3", "tile")


def group_config(kind, strategy):
    return dict(targets=["Linear"], weights=dict(num_bits=8, type=kind, strategy=strategy, symmetric=True, dynamic=False,
                                                 observer="minmax", group_size=None, block_structure=None, actorder=None),
                input_activations=dict(num_bits=8, type=kind, strategy="token", dynamic=True, symmetric=True),
                output_activations=None)


def llama(hidden, heads, kv_heads, intermediate, **more):
    return shape(hidden, heads, kv_heads, intermediate, 3e-3, rope(20000.0), num_hidden_layers=1, vocab_size=32,
                 tie_word_embeddings=True, head_dim=32, **more)


ATTENTION = ("q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight")
# Name, model, packing, names of what is packed, quantization_config.
FOLDERS = (
    (Model("llama_compressed", "Llama", llama(128, 4, 1, 32)), pack_compressed,
     ATTENTION + ("gate_proj.weight", "up_proj.weight"),
     dict(quant_method="compressed-tensors", format="float-quantized", quantization_status="compressed",
          ignore=["lm_head", "model.layers.0.mlp.down_proj"], kv_cache_scheme=None, global_compression_ratio=1.2,
          config_groups=dict(group_0=group_config("float", "channel"), group_1=group_config("int", "channel")))),
    (Model("deepseek_v3_tiles", "DeepseekV3",
           shape(128, 2, 2, 16, 1e-6, rope(10000.0, **YARN, mscale=1.0, mscale_all_dim=1.0, beta_fast=32, beta_slow=1),
                 **latent(q_lora_rank=256, kv_lora_rank=128, v_head_dim=8, n_routed_experts=4, num_experts_per_tok=2,
                          n_shared_experts=1, n_group=2, topk_group=1, routed_scaling_factor=2.5, norm_topk_prob=True,
                          num_hidden_layers=1, vocab_size=32, tie_word_embeddings=True)),
           forms=("mla=absorbed", "mla=naive")),
     pack_tiles, ("q_a_proj.weight", "q_b_proj.weight", "kv_a_proj_with_mqa.weight", "kv_b_proj.weight"),
     dict(quant_method="fp8", fmt="e4m3", activation_scheme="dynamic", weight_block_size=[128, 128])),
    (Model("llama_gptq", "Llama", llama(128, 4, 1, 64)), pack_gptq,
     ATTENTION + ("gate_proj.weight", "up_proj.weight", "down_proj.weight"),
     dict(quant_method="gptq", bits=4, group_size=128, damp_percent=0.01, desc_act=False, static_groups=False, sym=False,
          true_sequential=True, model_name_or_path=None, model_file_base_name="model")),
    (Model("llama_awq", "Llama", llama(64, 2, 1, 64)), pack_awq,
     ATTENTION + ("gate_proj.weight", "up_proj.weight", "down_proj.weight"),
     dict(quant_method="awq", bits=4, group_size=64, version="gemm", zero_point=True, modules_to_not_convert=None)),
    (Model("gpt_oss_mxfp4", "GptOss",
           shape(32, 2, 1, 32, 3e-3, rope(90000.0, **YARN, beta_fast=32.0, beta_slow=1.0, truncate=False), head_dim=8,
                 num_local_experts=4, num_experts_per_tok=2, sliding_window=32, swiglu_limit=7.0, vocab_size=32)),
     pack_mxfp4, ("experts.gate_up_proj", "experts.down_proj"),
     dict(quant_method="mxfp4", modules_to_not_convert=["model.layers.*.self_attn", "model.layers.*.mlp.router"])),
    (Model("llama_modelopt", "Llama", llama(128, 1, 1, 16)), pack_nvfp4,
     ATTENTION[:3] + ("gate_proj.weight", "up_proj.weight"),
     dict(quant_method="modelopt", quant_algo="NVFP4",
          ignore=["lm_head", "model.layers.0.mlp.down_proj", "model.layers.0.self_attn.o_proj"],
          config_groups=dict(group_0=dict(targets=["Linear"], weights=NARROW, input_activations=NARROW)),
          kv_cache_scheme=dict(num_bits=8, type="float", dynamic=False), producer=dict(name="modelopt", version="0.33.0"))),
    (Model("llama_nvfp4", "Llama", llama(128, 1, 1, 16)), pack_compressed_nvfp4,
     ATTENTION[:3] + ("gate_proj.weight", "up_proj.weight"),
     dict(quant_method="compressed-tensors", format="nvfp4-pack-quantized", quantization_status="compressed",
          ignore=["lm_head", "model.layers.0.mlp.down_proj", "model.layers.0.self_attn.o_proj"], kv_cache_scheme=None,
          version="0.11.0",
          config_groups=dict(group_0=dict(targets=["Linear"], format="nvfp4-pack-quantized", output_activations=None,
                                          weights=NARROW | dict(strategy="tensor_group", symmetric=True, actorder=None,
                                                                block_structure=None, observer="minmax"),
                                          input_activations=NARROW | dict(strategy="tensor_group", dynamic="local"))))),
)


def pack_state(network, pack, endings, generator):
    """The folder's tensors; the network's own become what they stand for, in float32."""
    stored = {}
    state = network.state_dict()
    for name in sorted(state):
        if name == "lm_head.weight" and network.config.tie_word_embeddings:
            continue
        if not name.endswith(tuple(endings)):
            stored[name] = state[name].to(torch.float16).contiguous()
            continue
        packed, values = pack(name, state[name].numpy(), generator)
        stored |= packed
        state[name].copy_(torch.from_numpy(np.ascontiguousarray(values, np.float32)))
    return stored


def round_activations(x):
    """To 8 bits for each 32 numbers, as kernels do that multiply blocks of 32 by bytes."""
    parts = x.reshape(*x.shape[:-1], -1, 32)
    scale = parts.abs().amax(-1, keepdim=True) / 127
    return (torch.round(parts / scale.clamp(min=1e-30)) * scale).reshape(x.shape)


def meets_bytes(name, pack, endings):
    """Whether kernels may multiply this weight by bytes: codes of whole numbers and of 4 bits, not 8-bit floats."""
    if not name.endswith(tuple(endings)) or pack is pack_tiles:
        return False
    return pack is not pack_compressed or COMPRESSED[name.split(".")[-2]][0] == "i8"


def rounded_network(network, pack, endings):
    """A copy that rounds what meets such blocks, or None where there are none. Of experts only what goes into the
    first of their two products can be reached from outside: ROUNDED_FACTOR leaves room for the second."""
    other, found = copy.deepcopy(network), False
    for name, module in other.named_modules():
        linear = isinstance(module, torch.nn.Linear) and meets_bytes(f"{name}.weight", pack, endings)
        if linear or pack is pack_mxfp4 and name.endswith("mlp.experts"):
            module.register_forward_pre_hook(lambda module, inputs: (round_activations(inputs[0]), *inputs[1:]))
            found = True
    return other if found else None


def write_folder(row, out, seed):
    model, pack, endings, quantization = row
    folder, index = out / model.name, FOLDERS.index(row)
    shutil.rmtree(folder, ignore_errors=True)
    plain = folder / "plain"
    make_network(model, np.random.default_rng([seed, 4, index])).save_pretrained(plain)
    network, exact = load_network(model, plain), load_network(model, plain).double()
    configuration = json.loads((plain / "config.json").read_text())
    shutil.rmtree(plain)
    stored = pack_state(network, pack, endings, np.random.default_rng([seed, 5, index]))
    exact.load_state_dict(network.state_dict())
    (folder / "huggingface").mkdir()
    save_file(stored, folder / "huggingface/model.safetensors", metadata=dict(format="pt"))
    configuration["quantization_config"] = quantization
    (folder / "huggingface/config.json").write_text(json.dumps(configuration, indent=1) + "\n")
    maker = CaseMaker(model, network, exact, np.random.default_rng([seed, 6, index]))
    rounded = rounded_network(network, pack, endings)
    cases = []
    for case, rows in [maker.prefill_case(tokens) for tokens in (1, 7, 64)] + [maker.decode_case(), map_case(maker)]:
        if rounded and case["kind"] != "mapped":
            difference = float(np.abs(prefill_logits(rounded, case["ids"])[case["positions"]] - rows).max())
            case["bound_rounded_activations"] = round_up(ROUNDED_FACTOR * difference)
        if rounded and case["kind"] == "mapped":
            case["bound_rounded_activations"] = 2 * max(c["bound_rounded_activations"] for c in cases)
        np.save(folder / f"{case['name']}.npy", rows.astype(np.float32))
        cases.append(case | dict(logits=f"{model.name}/{case['name']}.npy"))
    print(f"{model.name:20} bound {max(c['bound'] for c in cases):.1e}  deviation {cases[-3]['deviation']:.2f}")
    return dict(name=model.name, model=model.name, architecture=network.config.model_type,
                type=quantization["quant_method"], vocabulary=network.config.vocab_size,
                sources=[dict(format="huggingface", path=f"{model.name}/huggingface")], forms=list(model.forms),
                cases=cases, mistakes={})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("models", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    wanted = [row for row in FOLDERS if not arguments.models or row[0].name in arguments.models]
    references = [write_folder(row, arguments.out, arguments.seed) for row in wanted]
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    manifest = dict(format=1, seed=arguments.seed, versions=versions, references=references)
    (arguments.out / "manifest.json").write_text(json.dumps(manifest, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
