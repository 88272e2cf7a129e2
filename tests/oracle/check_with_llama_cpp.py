"""Ask llama.cpp, which shares no code with transformers, whether it agrees with the vectors.

usage: check_with_llama_cpp.py DIR      (DIR as given to make_models.py and make_tokenizers.py by `refresh`)

Needs the package llama-cpp-python, which nothing else here does. Three differences are known and allowed for:
llama.cpp drops the window of architecture `llama`, reads yarn's betas of no file of that architecture (they are
passed to it by hand), and does not apply Qwen2's normalisation. Exit status 1 when anything else differs.
"""

import ctypes
import json
import pathlib
import sys
import unicodedata

import llama_cpp
import numpy as np

CONTEXT_TOKENS = 512
TOKEN_ROOM = 20_000


def load(path, vocabulary_only):
    parameters = llama_cpp.llama_model_default_params()
    parameters.vocab_only = vocabulary_only
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
    return model or sys.exit(f"{path}: llama.cpp cannot load it")


def make_context(model, betas):
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = CONTEXT_TOKENS
    parameters.type_k = parameters.type_v = 0        # float32
    parameters.flash_attn_type = 0                   # off
    if betas:
        parameters.yarn_beta_fast, parameters.yarn_beta_slow = betas
    return llama_cpp.llama_init_from_model(model, parameters)


def prefill(context, ids, vocabulary):
    """Logits [tokens, vocabulary] of a prompt, every row asked for."""
    batch = llama_cpp.llama_batch_init(CONTEXT_TOKENS, 0, 1)
    batch.n_tokens = len(ids)
    for index, token in enumerate(ids):
        batch.token[index], batch.pos[index], batch.logits[index] = token, index, 1
        batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
    assert llama_cpp.llama_decode(context, batch) == 0
    rows = np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), (len(ids), vocabulary)).copy()
    llama_cpp.llama_batch_free(batch)
    return rows


def rotary_and_window(root, reference):
    config = json.loads((root / reference["model"] / "huggingface/config.json").read_text())
    rotary = config.get("rope_parameters") or {}
    betas = (rotary["beta_fast"], rotary["beta_slow"]) if "beta_fast" in rotary else None
    return betas, config.get("sliding_window") if reference["architecture"] == "mistral" else None


def check_case(root, reference, path, case, betas, window):
    """The largest and the root mean square difference, and whether both are within the case's bounds."""
    expected = np.load(root / case["logits"])
    model = load(path, False)
    context = make_context(model, betas)
    actual = prefill(context, case["ids"], reference["vocabulary"])[case["positions"]]
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    within = [row for row, position in enumerate(case["positions"]) if not window or position < window]
    difference = (actual - expected)[within]
    if not within:
        return 0.0, 0.0, True
    largest, typical = np.abs(difference).max(), np.sqrt((difference**2).mean())
    bound = case.get("bound_rounded_activations", case["bound"])
    return largest, typical, largest <= bound and typical <= case.get("bound_rounded_activations_rms", bound)


def check_models(root):
    good = True
    for reference in json.loads((root / "manifest.json").read_text())["references"]:
        path = root / next(s["path"] for s in reference["sources"] if s["format"] == "gguf")
        betas, window = rotary_and_window(root, reference)
        results = [check_case(root, reference, path, case, betas, window) for case in reference["cases"]]
        good &= all(fine for _, _, fine in results)
        largest, typical = max(r[0] for r in results), max(r[1] for r in results)
        print(f"{reference['name']:20} largest {largest:.1e}  rms {typical:.1e}"
              f"  {'within' if all(r[2] for r in results) else 'BEYOND'} its bounds")
    return good


def check_vocabulary(root, kind, strings):
    record = json.loads((root / f"{kind}.json").read_text())
    vocabulary = llama_cpp.llama_model_get_vocab(load(root / f"{kind}.gguf", True))
    room = (ctypes.c_int32 * TOKEN_ROOM)()

    def tokenize(text, parse):
        data = unicodedata.normalize("NFC", text).encode() if kind == "qwen2" else text.encode()
        return list(room[:llama_cpp.llama_tokenize(vocabulary, data, len(data), room, TOKEN_ROOM, False, parse)])

    plain = [i for i, text in enumerate(strings) if tokenize(text, False) != record["ids"][i]]
    parsed = [i for i, text in enumerate(strings) if "parsed" in record
              and tokenize(text, True) != record["parsed"].get(str(i), record["ids"][i])]
    print(f"{kind:20} {len(strings)} strings, {len(plain)} differ, {len(parsed)} with special tokens parsed")
    return not plain and not parsed


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n")[2])
    root = pathlib.Path(sys.argv[1])
    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, None)
    strings = json.loads((root / "tokenizers/strings.json").read_text())
    good = check_models(root / "models")
    for kind in ("gpt-2", "llama-bpe", "qwen2", "sentencepiece"):
        good &= check_vocabulary(root / "tokenizers", kind, strings)
    sys.exit(not good)


if __name__ == "__main__":
    main()
