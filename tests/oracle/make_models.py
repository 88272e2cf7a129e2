"""Write random models, and transformers' logits for them, as test vectors.

usage: make_models.py --seed S --out DIR

DIR gets one folder per model with its Hugging Face folder, its GGUF files and its logits as .npy, and
manifest.json, which lists every case. README.md beside this script explains the format and the bounds.
"""

import argparse
import importlib.metadata
import json
import pathlib
import shutil

import numpy as np
import torch
import transformers

from oracle_cases import CaseMaker, set_weights_through
from oracle_float64 import Network64, formula_of
from oracle_gguf import write_gguf
from oracle_models import MODELS, load_folder, make_network, save_folder

PACKAGES = ("gguf", "numpy", "safetensors", "torch", "transformers")
SENSITIVITY_FACTOR = 20.0   # a mistake must move the logits by this many bounds, or the vectors do not show it


def mistakes(formula, configuration):
    """Name -> a formula changed in one way that an implementation could get wrong."""
    wrong = {"pairing": dict(neighbour_pairs=True), "epsilon 1e-5": dict(epsilon=1e-5),
             "theta 1e4": dict(theta=1e4)}
    if formula.scaling["rope_type"] != "default":
        wrong["no scaling"] = dict(scaling=dict(rope_type="default"))
    if formula.scaling["rope_type"] == "yarn":
        wrong["no magnitude"] = dict(magnitude=False)
        wrong["default betas"] = dict(scaling={**formula.scaling, "beta_fast": 32.0, "beta_slow": 1.0})
    if formula.window:
        wrong.update({"no window": dict(window=0), "window + 1": dict(window=formula.window + 1),
                      "window - 1": dict(window=formula.window - 1)})
    if formula.experts_used:
        wrong.update({"not renormalised": dict(renormalise=False),
                      "one expert less": dict(experts_used=formula.experts_used - 1)})
    if 1 < formula.kv_heads < formula.heads:
        wrong["head modulo group"] = dict(grouped_heads=False)
    if configuration.model_type == "qwen2":
        wrong["no biases"] = dict(use_biases=False)
    if formula.head_size * formula.heads != configuration.hidden_size:
        wrong["score scale"] = dict(score_size=configuration.hidden_size // formula.heads)
    return wrong


def measure_mistakes(network, case):
    """How far each mistake moves the logits of a case. Stops where the vectors would not show one."""
    right = Network64(formula_of(network.config), network.state_dict())
    expected = right.run(case["ids"])[0][case["positions"]]
    moved = {}
    for name, change in mistakes(right.formula, network.config).items():
        actual = right.changed(**change).run(case["ids"])[0][case["positions"]]
        moved[name] = float(np.abs(actual - expected).max())
        if moved[name] < SENSITIVITY_FACTOR * case["bound"]:
            raise SystemExit(f"{network.config.model_type}: the mistake '{name}' moves the logits by only "
                             f"{moved[name]:.2e}, the bound is {case['bound']:.2e}; try another seed")
    return moved


def write_cases(maker, folder, prefix):
    cases = []
    for case, rows in maker.all_cases():
        name = f"{prefix}_{case['name']}.npy"
        np.save(folder / name, rows.astype(np.float32))
        cases.append(dict(case, logits=f"{folder.name}/{name}"))
    return cases


def write_reference(model, number, file_type, out, seed):
    """One set of weights: the files that hold it, and its cases. Number 0 is the Hugging Face folder's own."""
    folder = out / model.name
    network = load_folder(model, folder / "huggingface")
    set_weights_through(network, file_type)
    path = folder / f"{model.name}-{file_type}.gguf"
    write_gguf(path, model, network.config, folder / "huggingface", file_type)
    files = sorted(str(p.relative_to(out)) for p in folder.glob(f"{model.name}-{file_type}*.gguf"))
    sources = [dict(format="gguf", path=files[0], files=len(files))]
    if number == 0:
        sources.insert(0, dict(format="huggingface", path=f"{model.name}/huggingface"))
    generator = np.random.default_rng([seed, 1, MODELS.index(model), number])
    cases = write_cases(CaseMaker(network, file_type, generator), folder, file_type)
    longest = max((c for c in cases if c["kind"] == "prefill"), key=lambda c: len(c["ids"]))
    return dict(name=f"{model.name}-{file_type}", model=model.name, architecture=network.config.model_type,
                type=file_type, vocabulary=network.config.vocab_size, sources=sources, cases=cases,
                mistakes=measure_mistakes(network, longest))


def print_summary(reference):
    cases = reference["cases"]
    print(f"{reference['name']:20} bound {max(c['bound'] for c in cases):.1e}"
          f"  rounded {max(c.get('bound_rounded_activations', 0) for c in cases):.1e}"
          f"  float64 {max(c['float64_difference'] for c in cases):.1e}"
          f"  decode {cases[-1]['decode_prefill_difference']:.1e}"
          f"  deviation {cases[-2]['deviation']:.2f}  least mistake {min(reference['mistakes'].values()):.2g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)          # sums in one order, whatever the machine
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    references = []
    for index, model in enumerate(MODELS):
        shutil.rmtree(arguments.out / model.name, ignore_errors=True)
        generator = np.random.default_rng([arguments.seed, 0, index])
        save_folder(model, make_network(model, generator), arguments.out / model.name / "huggingface")
        for number, file_type in enumerate(model.gguf_types):
            references.append(write_reference(model, number, file_type, arguments.out, arguments.seed))
            print_summary(references[-1])
    manifest = dict(format=1, seed=arguments.seed, versions=versions, references=references)
    (arguments.out / "manifest.json").write_text(json.dumps(manifest, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
