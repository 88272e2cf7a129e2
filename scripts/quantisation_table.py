#!/usr/bin/env python3
"""Measure what each type of weights and of the KV cache costs the demo models, and write the tables into docs/quantisation.md.

usage: quantisation_table.py HONE [--check] [weights | cache]

The text is held-out stories of models/demo/corpus.py, as made with its own seed. --check measures and compares with the
tables that are there instead of writing it: exit status 1 when a KL divergence differs by more than a tenth.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/quantisation.md"
MARKS = {"weights": "<!-- table of scripts/quantisation_table.py -->\n",
         "cache": "<!-- table of the KV cache, of scripts/quantisation_table.py -->\n"}
END = "<!-- end of the table -->\n"
STORIES = 60
TYPES = ("f16", "q8_0", "q6_K", "q5_K_M", "q5_K", "q5_1", "q5_0", "q4_K_M", "q4_K", "q4_1", "q4_0", "iq4_nl", "iq4_xs",
         "mxfp4", "q3_K", "q2_K")
CACHES = ("f32", "f16", "bf16", "q8_0", "q8_0,rotate", "q4_0", "q4_0,rotate")
MODELS = ("demo-dense", "demo-moe")
CONTEXT = 512
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


def measure_cache(hone, folder, text, name, kind):
    """Bytes that one token takes, and what the rounding of keys and values costs against f32."""
    source, exact = ROOT / f"models/demo/{name}.gguf", folder / f"{name}.plan"
    options = ("--kv", kind, "--context", CONTEXT)
    if not exact.exists():
        json_of(hone, "compile", source, "-o", exact, "--kv", "f32", "--context", CONTEXT)
    devices = json_of(hone, "show", source, *options)["devices"]
    told = json_of(hone, "eval", source, text, *options, "--against", exact)
    return sum(device["state_bytes"] for device in devices) // CONTEXT, told


def table(hone, folder, text, which):
    size, digits, kinds, measured = {"weights": ("bits", 2, TYPES, measure),
                                     "cache": ("bytes of a token", 0, CACHES, measure_cache)}[which]
    heads = "".join(f"{name}: {size} | perplexity | KL divergence | same best token | " for name in MODELS)
    lines = ["| type | " + heads.strip(), "|---" * 9 + "|"]
    for kind in kinds:
        cells = [f"`{kind}`"]
        for name in MODELS:
            amount, told = measured(hone, folder, text, name, kind)
            cells += [f"{amount:.{digits}f}", f"{told['perplexity']:.4f}", f"{told['kl_divergence']:.5f}",
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
    check, asked = "--check" in sys.argv, [word for word in sys.argv[2:] if word != "--check"]
    if len(sys.argv) < 2 or not set(asked) <= set(MARKS):
        sys.exit(__doc__.split("\n")[2])
    page, failures = PAGE.read_text(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = write_text(folder)
        for which in asked or MARKS:
            before, rest = page.split(MARKS[which])
            old, after = rest.split(END, 1)
            new = table(str(pathlib.Path(sys.argv[1]).resolve()), folder, text, which)
            failures += not alike(divergences(old), divergences(new))
            page = before + MARKS[which] + new + END + after
    if check:
        sys.exit(failures > 0)
    PAGE.write_text(page)


main()
