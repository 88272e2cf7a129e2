"""Write random models of the further architectures, and transformers' logits for them, as test vectors.

usage: make_architectures.py --seed S --out DIR [MODEL ...]

The format is that of make_models.py; folders are float16 and GGUF files the same numbers in float32. `bound` is 8 times the difference between transformers in
float32 and (where it computes in the type of its weights) in float64, and no less than 1e-4.
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

from make_models import PACKAGES, SENSITIVITY_FACTOR
from oracle_architecture_gguf import write_gguf
from oracle_architectures import MODELS, load_network, make_configuration, make_network
from oracle_cases import (BOUND_FACTOR, DECODE_PREFILL, DECODE_STEPS, GREEDY_MARGIN, decode_greedily, kept_positions,
                          prefill_logits, round_up, winning_margin)

BOUND_FLOOR = 1e-4
MAP_PREFILL = 64
DIFFERENCE_MOST = 1e-3       # more: an expert was chosen by a rounding; another prompt is drawn


class CaseMaker:
    def __init__(self, model, network, exact, generator):
        self.model, self.network, self.exact, self.generator = model, network, exact, generator
        self.window = getattr(network.config, "sliding_window", None) or 0

    def draw(self, tokens):
        return [int(i) for i in self.generator.integers(3, self.network.config.vocab_size, tokens)]

    def describe(self, kind, ids, positions, rows):
        difference = float(np.abs(prefill_logits(self.exact, ids)[positions] - rows).max())
        return dict(name=f"{kind}_{len(ids)}", kind=kind, ids=ids, positions=positions,
                    bound=round_up(max(BOUND_FACTOR * difference, BOUND_FLOOR)), float64_difference=difference,
                    deviation=float(rows.std()))

    def prefill_case(self, tokens):
        while True:
            ids = self.draw(tokens)
            positions = kept_positions(tokens, self.window)
            rows = prefill_logits(self.network, ids)[positions]
            case = self.describe("prefill", ids, positions, rows)
            if case["float64_difference"] < DIFFERENCE_MOST:
                return case, rows

    def decode_case(self):
        for _ in range(400):
            prompt = self.draw(DECODE_PREFILL)
            ids, rows = decode_greedily(self.network, prompt, DECODE_STEPS)
            if winning_margin(rows) < GREEDY_MARGIN / 3:
                continue
            positions = list(range(DECODE_PREFILL - 1, len(ids)))
            case = self.describe("decode", ids, positions, rows)
            if case["float64_difference"] < DIFFERENCE_MOST:
                return case | dict(prefill_tokens=DECODE_PREFILL, greedy_margin=winning_margin(rows)), rows
        raise SystemExit(f"{self.model.name}: no prompt has clear greedy choices; try another seed")


def mapped(network, order):
    """A copy whose layer v is layer order[v]: what a layer map runs."""
    other = copy.deepcopy(network)
    configuration = other.config
    configuration.num_hidden_layers = len(order)
    if getattr(configuration, "layer_types", None):
        configuration.layer_types = [network.config.layer_types[layer] for layer in order]
    layers = [copy.deepcopy(network.model.layers[layer]) for layer in order]
    for place, layer in enumerate(layers):
        layer.self_attn.layer_idx = place
    other.model.layers = torch.nn.ModuleList(layers)
    return other


def map_case(maker):
    """All layers, and the last half of them again."""
    count = maker.network.config.num_hidden_layers
    order = [*range(count), *range(count // 2, count)]
    plain = (maker.network, maker.exact)
    maker.network, maker.exact = (mapped(network, order) for network in plain)
    case, rows = maker.prefill_case(MAP_PREFILL)
    maker.network, maker.exact = plain
    spelled = f"0..{count - 1},{count // 2}..{count - 1}"
    return case | dict(name=f"mapped_{MAP_PREFILL}", kind="mapped", layer_map=spelled), rows


def measure_mistakes(model, folder, case, rows):
    moved = {}
    for name, change in model.mistakes.items():
        wrong = prefill_logits(load_network(model, folder, **change), case["ids"])[case["positions"]]
        moved[name] = float(np.abs(wrong - rows).max())
        if moved[name] < SENSITIVITY_FACTOR * case["bound"]:
            raise SystemExit(f"{model.name}: the mistake '{name}' moves the logits by only {moved[name]:.2e}")
    return moved


def write_reference(model, out, seed):
    folder = out / model.name
    shutil.rmtree(folder, ignore_errors=True)
    index = MODELS.index(model)
    make_network(model, np.random.default_rng([seed, 2, index])).save_pretrained(folder / "huggingface")
    (folder / "huggingface" / "generation_config.json").unlink(missing_ok=True)
    sources = [dict(format="huggingface", path=f"{model.name}/huggingface")]
    if model.gguf:
        path = folder / f"{model.name}.gguf"
        write_gguf(path, model.gguf, make_configuration(model), folder / "huggingface")
        sources.append(dict(format="gguf", path=f"{model.name}/{path.name}"))
    network = load_network(model, folder / "huggingface")
    maker = CaseMaker(model, network, load_network(model, folder / "huggingface").double(),
                      np.random.default_rng([seed, 3, index]))
    cases = []
    for case, rows in [maker.prefill_case(tokens) for tokens in model.prompts] + [maker.decode_case()]:
        file = f"{case['name']}.npy"
        np.save(folder / file, rows.astype(np.float32))
        cases.append(case | dict(logits=f"{model.name}/{file}"))
        if case["name"] == "prefill_300":
            mistakes = measure_mistakes(model, folder / "huggingface", case, rows)
    case, rows = map_case(maker)
    np.save(folder / f"{case['name']}.npy", rows.astype(np.float32))
    cases.append(case | dict(logits=f"{model.name}/{case['name']}.npy"))
    print(f"{model.name:18} bound {max(c['bound'] for c in cases):.1e}  deviation {cases[-3]['deviation']:.2f}"
          f"  margin {cases[-2]['greedy_margin']:.2f}  least mistake {min(mistakes.values(), default=np.nan):.2g}")
    return dict(name=model.name, model=model.name, architecture=network.config.model_type, type="f16",
                vocabulary=network.config.vocab_size, sources=sources, forms=list(model.forms), cases=cases,
                mistakes=mistakes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("models", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    wanted = [m for m in MODELS if not arguments.models or m.name in arguments.models]
    references = [write_reference(model, arguments.out, arguments.seed) for model in wanted]
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    manifest = dict(format=1, seed=arguments.seed, versions=versions, references=references)
    (arguments.out / "manifest.json").write_text(json.dumps(manifest, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
