#!/usr/bin/env python3
"""Search the demo models for layers that are worth executing twice; write the result into docs/layer-maps.md and the heat maps
beside it.

usage: layer_map_table.py HONE

Probe and held-out probe are different held-out stories of models/demo/corpus.py, as made with its own seed.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/layer-maps.md"
BEGIN, END = "<!-- results of scripts/layer_map_table.py -->\n", "<!-- end of the results -->\n"
PROBE_STORIES, HELD_OUT_STORIES = 40, 100
TOP = 5


def write_texts(folder):
    subprocess.run([sys.executable, "-B", ROOT / "models/demo/corpus.py", folder, "--train", "1", "--heldout", "200"],
                   check=True, stdout=subprocess.DEVNULL)
    stories = [json.loads(line)["text"] for line in (folder / "heldout.jsonl").read_text().splitlines()]
    for name, part in (("probe.txt", stories[:PROBE_STORIES]),
                       ("held-out.txt", stories[PROBE_STORIES:PROBE_STORIES + HELD_OUT_STORIES])):
        (folder / name).write_text("\n\n".join(part) + "\n")


def row(report, block):
    base = report["base"]["decode_seconds"]
    return (f"| ({block['begin']}, {block['end']}) | `{block['layer_map']}` | {block['gain']:+.4f} | {block['held_out_gain']:+.4f} "
            f"| {block['held_out']['perplexity']:.4f} | {block['added_layers']:+d} "
            f"| {100 * (block['decode_seconds'] / base - 1):+.0f} % |")


def section(hone, folder, name):
    drawing = PAGE.parent / f"heat-map-{name}.svg"
    words = [hone, "rys", ROOT / f"models/demo/{name}.gguf", "--probe", folder / "probe.txt", "--held-out",
             folder / "held-out.txt", "--heat-map", drawing, "--top", TOP, "--threads", 1, "--json", "--quiet"]
    report = json.loads(subprocess.run(list(map(str, words)), check=True, stdout=subprocess.PIPE).stdout)
    better = sum(block["gain"] > 0 for block in report["blocks"])
    return [f"**{name}**, {report['layers']} layers: {better} of {report['block_count']} blocks gain something on the probe. As it is: "
            f"perplexity {report['base']['probe']['perplexity']:.4f} on the probe, "
            f"{report['base']['held_out']['perplexity']:.4f} on the held-out stories.", "",
            "| block | layers executed | gain on the probe, nats per token | on held-out | perplexity there | layers | time per token |",
            "|---|---|---|---|---|---|---|", *[row(report, block) for block in report["best"]], "",
            f"![heat map of {name}]({drawing.name})", ""]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n")[3])
    before, rest = PAGE.read_text().split(BEGIN)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        write_texts(pathlib.Path(folder))
        for name in ("demo-dense", "demo-moe"):
            lines += section(str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(folder), name)
    PAGE.write_text(before + BEGIN + "\n".join(lines) + END + rest.split(END)[1])


main()
