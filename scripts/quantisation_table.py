#!/usr/bin/env python3
"""Measure what each type costs the demo models, and write the table into docs/quantisation.md.

usage: quantisation_table.py HONE [--check]

The text is held-out stories of models/demo/corpus.py, as made with its own seed. --check measures and compares with the
table that is there instead of writing it: exit status 1 when a KL divergence differs by more than a tenth.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/quantisation.md"
BEGIN, END = "<!-- table of scripts/quantisation_table.py -->\n", "<!-- end of the table -->\n"
STORIES = 60
TYPES = ("f16", "q8_0", "q6_K", "q5_K_M", "q5_K", "q5_1", "q5_0", "q4_K_M", "q4_K", "q4_1", "q4_0", "iq4_nl", "iq4_xs",
         "mxfp4", "q3_K", "q2_K")
TOLERANCE = 0.1


def json_of(hone, *words):
    return json.loads(subprocess.run([hone, *map(str, words), "--json", "--quiet"], check=True,
                                     stdout=subprocess.PIPE).stdout)


def write_text(folder):
    subprocess.run([sys.executable, "-B", ROOT / "models/demo/corpus.py", folder, "--train", "1", "--heldout", "200"],
                   check=True, stdout=subprocess.DEVNULL)
    stories = [json.loads(line)["text"] for line in (folder / "heldout.jsonl").read_text().splitlines()[:STORIES]]
    text = folder / "stories.txt"
    text.write_text("\n\n".join(stories) + "\n")
    return text


def measure(hone, folder, text, name, kind):
    source, made = ROOT / f"models/demo/{name}.gguf", folder / "made.gguf"
    report = json_of(hone, "quantize", source, "-o", made, "--type", kind)
    return report["bits_per_weight"], json_of(hone, "eval", made, text, "--against", source)


def table(hone, folder):
    text = write_text(folder)
    lines = ["| type | demo-dense: bits | perplexity | KL divergence | same best token "
             "| demo-moe: bits | perplexity | KL divergence | same best token |", "|---" * 9 + "|"]
    for kind in TYPES:
        cells = [f"`{kind}`"]
        for name in ("demo-dense", "demo-moe"):
            bits, told = measure(hone, folder, text, name, kind)
            cells += [f"{bits:.2f}", f"{told['perplexity']:.4f}", f"{told['kl_divergence']:.5f}",
                      f"{100 * told['top_token_agreement']:.2f} %"]
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def divergences(text):
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip("| `"): (float(row[3]), float(row[7])) for row in rows}


def alike(old, new):
    return set(old) == set(new) and all(abs(a - b) <= TOLERANCE * max(a, b) + 2e-5
                                        for kind in old for a, b in zip(old[kind], new[kind]))


def main():
    if len(sys.argv) < 2 or sys.argv[2:] not in ([], ["--check"]):
        sys.exit(__doc__.split("\n")[2])
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    with tempfile.TemporaryDirectory() as folder:
        new = table(str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(folder))
    if sys.argv[2:]:
        sys.exit(not alike(divergences(old), divergences(new)))
    PAGE.write_text(before + BEGIN + new + END + after)


main()
