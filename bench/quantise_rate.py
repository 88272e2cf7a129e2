#!/usr/bin/env python3
"""hone quantize against llama.cpp's quantiser on the same file, in turn.

usage: quantise_rate.py HONE [--layers N] [--rounds N] [--types q4_K,q8_0] [--out FILE.json]

The file is tinyllama-1.1b's shape in f16 from `hone synth` (--layers: fewer of its 22). Both use every core; llama.cpp
runs "pure", one type for all matrices, as Hone does. Processor seconds are printed beside wall seconds: on a machine
that others use they are the steadier figure. Needs llama-cpp-python.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

FILE_TYPES = {"q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_K": 10, "q3_K": 11, "q4_K": 14, "q5_K": 16,
              "q6_K": 18, "iq4_nl": 25, "iq4_xs": 30}
RIVAL = """
import sys, llama_cpp
silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
llama_cpp.llama_log_set(silent, None)
parameters = llama_cpp.llama_model_quantize_default_params()
parameters.nthread, parameters.ftype, parameters.pure = int(sys.argv[1]), int(sys.argv[2]), True
sys.exit(llama_cpp.llama_model_quantize(sys.argv[3].encode(), sys.argv[4].encode(), parameters))
"""


def timed(words):
    """Wall and processor seconds of one run."""
    before, start = os.times(), time.monotonic()
    subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    processor = after.children_user - before.children_user + after.children_system - before.children_system
    return time.monotonic() - start, processor


def compare(options, kind, source, folder):
    cores, rounds = os.cpu_count(), {"hone": [], "llama.cpp": []}
    commands = {"hone": [options.hone, "quantize", source, "-o", folder / "own.gguf", "--type", kind, "--threads", cores],
                "llama.cpp": [sys.executable, "-c", RIVAL, cores, FILE_TYPES[kind], source, folder / "theirs.gguf"]}
    for _ in range(options.rounds):
        for name, command in commands.items():
            rounds[name].append(timed(command))
    row = {"type": kind}
    for name, times in rounds.items():
        row[name] = {"seconds": [round(wall, 2) for wall, _ in times],
                     "processor_seconds": [round(processor, 2) for _, processor in times]}
    for figure in ("seconds", "processor_seconds"):
        row[f"{figure}_ratio"] = round(statistics.median(
            own / theirs for own, theirs in zip(row["hone"][figure], row["llama.cpp"][figure])), 3)
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=22)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--types", default="q4_K,q6_K,q8_0,q4_0")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    options.hone = options.hone.resolve()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = folder / "source.gguf"
        subprocess.run([str(options.hone), "synth", "tinyllama-1.1b", "--layers", str(options.layers), "--type", "f16",
                        "-o", str(source)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for kind in options.types.split(","):
            rows.append(compare(options, kind, source, folder))
            print(f"{kind}: hone takes {rows[-1]['seconds_ratio']} of llama.cpp's time, "
                  f"{rows[-1]['processor_seconds_ratio']} of its processor time", flush=True)
    document = {"shape": "tinyllama-1.1b", "layers": options.layers, "cores": os.cpu_count(), "rows": rows}
    if options.out:
        options.out.write_text(json.dumps(document, indent=1) + "\n")


main()
