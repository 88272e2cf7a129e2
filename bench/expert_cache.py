"""Expert caches: how near the chosen policy comes to the best one and to the oracle, and what slots spare the link.

policies needs no quiet machine: it replays routings.  slots measures rates on a virtual card with a modelled link, of the demo
model, against streaming all experts.

usage: expert_cache.py HONE SOURCE [-o RESULT.json] [--only policies|slots]
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

SPECS = [f"zipf={zipf}{more}" for zipf in (0, 0.5, 0.8, 1, 1.2, 1.5) for more in ("", " drift=1000", " drift=100", " drift=25")]
SPECS += ["zipf=1 phase=100", "zipf=1 phase=400", "zipf=0 repeat=0.6", "zipf=1 repeat=0.4", "zipf=0.8 repeat=0.3 drift=50",
          "zipf=1 prompt=500"]
PROMPTS = ["Once upon a time", "One day a fox", "The old boat", "In the winter"]
DEVICES = "virtual:64MiB@20GFLOPS,200MB/s,cpu"


def json_of(hone, *words):
    return json.loads(subprocess.run([hone, *map(str, words), "--json", "--quiet"], check=True, capture_output=True,
                                     text=True).stdout)


def compare(hone, name, trace, *more):
    rows = []
    for size in json_of(hone, "lab", "cache", trace, *more)["sizes"]:
        rates = {row["policy"]: row["hit_rate"] for row in size["policies"]}
        chosen, best, oracle = rates[size["chosen"]], rates[size["best"]], rates["oracle"]
        rows.append({"trace": name, "slots": size["slots"], "chosen": size["chosen"], "best": size["best"], "rates": rates,
                     "chosen_of_best": chosen / best if best else 1, "default_of_best": rates["best"] / best if best else 1,
                     "chosen_of_oracle": chosen / oracle if oracle else 1})
    return rows


def measure_policies(hone, source, folder):
    rows = []
    for seed, spec in enumerate(SPECS):
        trace = folder / "drawn.routing"
        json_of(hone, "lab", "trace", *spec.split(), "experts=64", "used=8", "layers=2", "tokens=2000", "--seed", seed, "-o",
                trace)
        rows += compare(hone, spec, trace, "--slots", "8,16,32,48")
    for seed, prompt in enumerate(PROMPTS):
        trace = folder / "demo.routing"
        json_of(hone, "run", source / "models/demo/demo-moe.gguf", "-p", prompt, "--tokens", 400, "--ignore-end", "--seed",
                seed, "--context", 512, "--record-routing", trace)
        rows += compare(hone, f"demo-moe: {prompt}", trace)
    least = {key: min(row[key] for row in rows) for key in ("chosen_of_best", "default_of_best", "chosen_of_oracle")}
    return {"traces": len(SPECS) + len(PROMPTS), "comparisons": len(rows), "least": least,
            "within_5_percent_of_best": sum(row["chosen_of_best"] >= 0.95 for row in rows),
            "within_5_percent_of_oracle": sum(row["chosen_of_oracle"] >= 0.95 for row in rows), "rows": rows}


def measure_slots(hone, source, folder):
    words = ["bench", source / "models/demo/demo-moe.gguf", "--devices", DEVICES, "--context", 512, "--prompt", 32,
             "--generate", 64, "--repeat", 3]
    rows = []
    for more in (["--stream", "experts", "--split", "tensor=1:0"], *(["--expert-slots", n] for n in (1, 2, 3, 4, 6))):
        found = json_of(hone, *words, *more)
        rows.append({"options": " ".join(map(str, more)), "experts": found["experts"],
                     **{key: found[key] for key in ("prefill_tokens_per_second", "decode_tokens_per_second")}})
    return {"devices": DEVICES, "rows": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("--only", choices=("policies", "slots"))
    arguments = parser.parse_args()
    hone = arguments.hone.resolve()
    result = {}
    with tempfile.TemporaryDirectory() as name:
        for part, measure in (("policies", measure_policies), ("slots", measure_slots)):
            if arguments.only in (None, part):
                result[part] = measure(hone, arguments.source, pathlib.Path(name))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    for part in result.values():
        part.pop("rows") if "least" in part else None
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
