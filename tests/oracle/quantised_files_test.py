"""Files of `hone quantize`, read by others: the gguf package dequantises them, llama.cpp computes with them.

usage: quantised_files_test.py HONE SOURCE_FOLDER BUILD_FOLDER [--install]

Every type and mix, on both demo models. Needs gguf, numpy and llama-cpp-python; they are looked for in the running
interpreter and in BUILD_FOLDER/oracle/llama, which --install makes (llama.cpp is built from source, some minutes).
Exit status 77, a skip, where they are missing.
"""

import json
import os
import pathlib
import subprocess
import sys

HONE, SOURCE, BUILD = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
ENVIRONMENT = BUILD / "oracle/llama"
SCRATCH = BUILD / "tests/quantised"
SKIP = 77

# Type, and the largest rms error of a weight relative to the rms of its tensor that the format may cost. The demo's own
# weights are q8_0, so what is measured is the second rounding alone.
TYPES = {"f32": 0, "f16": 5e-4, "bf16": 4e-3, "q8_0": 0, "q6_K": 0.02, "q5_K": 0.04, "q5_1": 0.04, "q5_0": 0.05,
         "q4_K": 0.08, "q4_1": 0.09, "q4_0": 0.11, "iq4_xs": 0.09, "iq4_nl": 0.09, "mxfp4": 0.16, "q3_K": 0.17,
         "q2_K": 0.35, "q4_K_M": 0.08, "q5_K_M": 0.04}
# Of logits, root mean square against their deviation: both programs round activations to 8 bits, Hone for 32 numbers
# together, llama.cpp for 256 where weights come in blocks of 256.
LOGITS_BOUND = 0.03


def find_packages():
    try:
        import gguf, llama_cpp, numpy  # noqa: F401, E401
        return
    except ImportError:
        pass
    python = ENVIRONMENT / "bin/python"
    if "--install" in sys.argv and not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "gguf", "numpy", "llama-cpp-python"], check=True,
                       env=dict(os.environ, CMAKE_ARGS="-DGGML_NATIVE=OFF"))
    if python.exists() and pathlib.Path(sys.prefix).resolve() != ENVIRONMENT:
        os.execv(python, [str(python), *sys.argv])
    print("skipped: gguf and llama-cpp-python are not installed")
    sys.exit(SKIP)


find_packages()

import gguf  # noqa: E402
import llama_cpp  # noqa: E402
import numpy as np  # noqa: E402

import check_with_llama_cpp as llama  # noqa: E402


def hone(*words):
    environment = dict(os.environ, XDG_CACHE_HOME=str(BUILD / "test-cache"))
    return subprocess.run([str(HONE), *map(str, words), "--quiet"], check=True, capture_output=True, env=environment)


def values_of(path):
    return {tensor.name: (gguf.dequantize(tensor.data, tensor.tensor_type), tensor.tensor_type.name.lower())
            for tensor in gguf.GGUFReader(path).tensors}


def check_weights(source, made, report, bound):
    worst = 0
    for tensor in report["tensors"]:
        (right, _), (values, kind) = source[tensor["name"]], made[tensor["name"]]
        assert kind == tensor["to"].lower() and values.shape == right.shape, tensor
        worst = max(worst, np.sqrt(((values - right) ** 2).mean() / max((right ** 2).mean(), 1e-30)))
    assert worst <= bound, f"weights err by {worst:.4f}, allowed {bound}"
    return worst


def check_logits(path, ids):
    out = SCRATCH / "logits.npy"
    hone("run", path, "--token-ids", ",".join(map(str, ids)), "--tokens", 0, "--context", 256, "--kv", "f32",
         "--logits", out)
    own = np.load(out)
    model = llama.load(path, False)
    context = llama.make_context(model, None)
    theirs = llama.prefill(context, ids, own.shape[1])
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    error = np.sqrt(((own - theirs) ** 2).mean()) / theirs.std()
    agreement = (own.argmax(1) == theirs.argmax(1)).mean()
    assert error <= LOGITS_BOUND, f"logits err by {error:.4f}, allowed {LOGITS_BOUND}"
    return error, agreement


def check_type(kind, bound, demo, source, ids):
    path = SCRATCH / f"{demo.stem}-{kind}.gguf"
    report = json.loads(hone("quantize", demo, "-o", path, "--type", kind, "--json").stdout)
    weights = check_weights(source, values_of(path), report, bound)
    error, agreement = check_logits(path, ids)
    print(f"{demo.stem:11} {kind:8} weights {weights:.4f}  logits {error:.5f}  same best token {agreement:.3f}", flush=True)
    path.unlink()


def main():
    SCRATCH.mkdir(parents=True, exist_ok=True)
    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, None)
    failed = 0
    for name in ("demo-dense", "demo-moe"):
        demo = SOURCE / f"models/demo/{name}.gguf"
        prompts = json.loads((SOURCE / f"tests/oracle/demo/{name}.prompts.json").read_text())["prompts"]
        ids = [token for prompt in prompts for token in prompt["ids"] + prompt["generated"]][:160]
        source = values_of(demo)
        for kind, bound in TYPES.items():
            try:
                check_type(kind, bound, demo, source, ids)
            except AssertionError as error:
                failed += 1
                print(f"FAILED {name} {kind}: {error}", flush=True)
    sys.exit(failed > 0)


main()
