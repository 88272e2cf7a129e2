"""Hone's search strategies beside Kernel Tuner's on the same recorded spaces, with the same number of configs.

Kernel Tuner answers from a cache in its simulation mode; Hone writes that cache (hone lab export --format cache).  The number
compared is best time possible / best time found within the budget, the mean over seeds.

usage: strategies.py HONE FOLDER... -o RESULT.json [--seeds N] [--hone-seeds N] [--strategies LIST] [--seconds S] [--again]

RESULT.json is written after every strategy of every space; the same command goes on from it (--again: from nothing).  The whole
corpus with a hundred seeds of everybody's is

    bench/strategies.py build/release/bin/hone bench/spaces FOLDER-OF-PUBLIC-SPACES -o bench/results/strategies.json --seeds 100 \\
        --seconds 3600

Needs the package kernel_tuner.  A strategy of Kernel Tuner that takes longer than S seconds on a space (default 60) ends with
the seeds it has done.
"""
import argparse
import contextlib
import hashlib
import importlib.metadata
import io
import json
import logging
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

OURS = "guided,climb,coordinate,pattern,evolution,random"
THEIRS = ("random_sample,genetic_algorithm,simulated_annealing,greedy_ils,greedy_mls,mls,ordered_greedy_mls,diff_evo,pso,"
          "firefly_algorithm,basinhopping,bayes_opt")


def budget_of(count):
    return min(count // 20, 100) if count > 1000 else min(count, max(20, count // 20))


def read_cache(path):
    cache = json.loads(path.read_text())
    times = {key: entry["time"] for key, entry in cache["cache"].items() if isinstance(entry["time"], (int, float))}
    return cache, times


def search(kernel_tuner, cache, path, strategy, budget, seed):
    """The best time that one search of Kernel Tuner finds, in milliseconds."""
    import numpy
    random.seed(seed)
    numpy.random.seed(seed)
    names = cache["tune_params_keys"]
    known = set(cache["cache"])
    options = {"max_fevals": budget}

    def is_known(config):
        return ",".join(str(config[name]) for name in names) in known

    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        results, _ = kernel_tuner.tune_kernel(
            cache["kernel_name"], "", cache["problem_size"], [], cache["tune_params"], lang="C",
            restrictions=is_known,
            strategy=strategy, strategy_options=options, cache=str(path), simulation_mode=True, quiet=True)
    times = [row["time"] for row in results if isinstance(row["time"], (int, float))]
    return min(times) if times else float("inf"), len({tuple(row[name] for name in names) for row in results})


def run_theirs(kernel_tuner, cache, times, path, strategy, arguments):
    budget, best = budget_of(len(cache["cache"])), min(times.values())
    shares, asked, start = [], [], time.time()
    for seed in range(arguments.seeds):
        try:
            found, count = search(kernel_tuner, cache, path, strategy, budget, seed)
        except Exception as error:  # a strategy that cannot take the space is told, not hidden
            return {"strategy": strategy, "error": f"{type(error).__name__}: {error}"[:200]}
        shares.append(best / found)
        asked.append(count)
        if time.time() - start > arguments.seconds:
            break
    return {"strategy": strategy, "share": statistics.mean(shares), "seeds": len(shares), "configs": max(asked),
            "seconds": time.time() - start}


def run_ours(arguments, space, blind):
    words = [arguments.hone, "lab", "compare", "--space", str(space), "--strategies", OURS, "--seed", "1", "--repeats",
             str(arguments.hone_seeds), "--json", "--quiet"] + ["--blind"] * blind
    report = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return [{key: row[key] for key in ("strategy", "budget", "share", "share_confidence", "score")}
            for row in report["spaces"][0]["results"]]


def check_schemas(kernel_tuner, arguments, space, cache_path, folder):
    """What Hone exports is valid by the published schemas, and Kernel Tuner tunes with it."""
    import jsonschema
    from kernel_tuner.file_utils import input_file_schema, output_file_schema
    files = {}
    for form in ("t1", "t4"):
        files[form] = folder / f"{form}.json"
        subprocess.run([arguments.hone, "lab", "export", str(space), "--format", form, "-o", str(files[form])], check=True,
                       capture_output=True)
    jsonschema.validate(json.loads(files["t1"].read_text()), input_file_schema()[1])
    jsonschema.validate(json.loads(files["t4"].read_text()), output_file_schema("results")[1])
    with contextlib.redirect_stdout(io.StringIO()):
        results, _ = kernel_tuner.tune_kernel_T1(files["t1"], cache_path, simulation_mode=True, output_T4=False,
                                                 strategy="random_sample", strategy_options={"max_fevals": 5})
    return {"t1": "valid", "t4": "valid", "tuned_by_tune_kernel_T1": len(results)}


def run_space(kernel_tuner, arguments, space, row, keep):
    """Does what is not in the row yet; `keep` writes it down."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "cache.json"
        subprocess.run([arguments.hone, "lab", "export", str(space), "--format", "cache", "-o", str(path)], check=True,
                       capture_output=True)
        cache, times = read_cache(path)
        count = len(cache["cache"])
        if "exports" not in row:
            row.update({"configs": count, "budget": budget_of(count), "hone": run_ours(arguments, space, False),
                        "hone_blind": run_ours(arguments, space, True), "kernel_tuner": []})
            try:
                row["exports"] = check_schemas(kernel_tuner, arguments, space, path, pathlib.Path(folder))
            except Exception as error:
                row["exports"] = {"error": f"{type(error).__name__}: {error}"[:300]}
            keep()
        done = {result["strategy"] for result in row["kernel_tuner"]}
        for strategy in arguments.strategies.split(","):
            if strategy not in done:
                row["kernel_tuner"].append(run_theirs(kernel_tuner, cache, times, path, strategy, arguments))
                keep()


def mean_shares(rows, kind):
    """Over the spaces that every strategy could take."""
    shares = {}
    for row in rows:
        for result in row.get(kind, []):
            shares.setdefault(result["strategy"], []).append(result.get("share"))
    return {name: statistics.mean(values) if None not in values else None for name, values in shares.items()}


def conditions(arguments):
    """What must be the same for an earlier run to be gone on with."""
    return {"kernel_tuner": importlib.metadata.version("kernel_tuner"),
            "hone": subprocess.run([arguments.hone, "--version"], capture_output=True, text=True).stdout.strip(),
            "seeds": arguments.seeds, "hone_seeds": arguments.hone_seeds}


def earlier_rows(arguments):
    """By the hash of the space's file."""
    if arguments.again or not arguments.output.exists():
        return {}
    report = json.loads(arguments.output.read_text())
    wanted = conditions(arguments)
    if any(report.get(key) != value for key, value in wanted.items()):
        sys.exit(f"{arguments.output} is of another run ({', '.join(f'{key}: {report.get(key)}' for key in wanted)}); "
                 "give another file, or --again")
    return {row["sha256"]: row for row in report["spaces"] if "sha256" in row}


def write_report(arguments, rows):
    report = {"date": time.strftime("%Y-%m-%d"), "python": platform.python_version(), **conditions(arguments),
              "command": "bench/strategies.py " + " ".join(word for word in sys.argv[2:] if "/" not in word),
              "means": {kind: mean_shares(rows, kind) for kind in ("hone", "hone_blind", "kernel_tuner")}, "spaces": rows}
    unfinished = arguments.output.with_name(arguments.output.name + ".new")
    unfinished.write_text(json.dumps(report, indent=1) + "\n")
    unfinished.replace(arguments.output)  # an interruption leaves the one before


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--hone-seeds", type=int, default=100)
    parser.add_argument("--strategies", default=THEIRS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    import kernel_tuner
    logging.disable(logging.CRITICAL)
    spaces = [path for folder in arguments.folders for path in
              ([folder] if folder.is_file() else sorted([*folder.glob("*.csv"), *folder.glob("*.json")]))]
    earlier, rows = earlier_rows(arguments), []
    for space in spaces:
        digest = hashlib.sha256(space.read_bytes()).hexdigest()
        rows.append(earlier.get(digest, {"space": space.name, "sha256": digest}))
    for space, row in zip(spaces, rows):
        run_space(kernel_tuner, arguments, space, row, lambda: write_report(arguments, rows))
        best = max(row["kernel_tuner"], key=lambda result: result.get("share", 0))
        print(f"{row['space']:40} {row['configs']:6} {row['budget']:4}  guided {row['hone'][0]['share']:.4f} blind "
              f"{row['hone_blind'][0]['share']:.4f}  best of Kernel Tuner {best.get('share', 0):.4f} {best['strategy']}", flush=True)
    print(json.dumps({kind: mean_shares(rows, kind) for kind in ("hone", "hone_blind", "kernel_tuner")}, indent=1))


main()
