"""What computing costs in accuracy, Hone beside llama.cpp: the demo models in every type, logits against float32.

usage: logit_accuracy.py HONE LLAMA_PYTHON [--models demo-dense,demo-moe] [--types q8_0,q4_K] [--windows 4] [--records DIR]
                         [--out FILE.json]

Of each file, logits of held-out text are taken three ways: Hone's reference implementations (float32 throughout), Hone's
kernels, llama.cpp. The divergence from the reference is what the kernels' rounding costs; the divergence from the model in
float32, before quantising, is all that a user loses. Twice: prompts of 512 tokens in one step, and a token at a time,
because other kernels compute those. Asked: Hone's at most 1.2 of llama.cpp's.
"""
import argparse
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import contenders
import host_compare
import logit_distance
import model_files
from round_summary import mark

ROOT = host_compare.ROOT
TYPES = ("f32", "f16", "bf16", "q8_0", "q6_K", "q5_K_M", "q5_K", "q5_1", "q5_0", "q4_K_M", "q4_K", "q4_1", "q4_0", "iq4_nl",
         "iq4_xs", "mxfp4", "q3_K", "q2_K")
WINDOW_TOKENS = 256
ALLOWED = 1.2
# Below this both are within what summing float32 numbers in another order gives: no ratio is formed.
NOISE = 1e-7
STEPS = {"prompt": WINDOW_TOKENS, "decode": 1}


def windows_of(hone, folder, count):
    """Token ids [count][WINDOW_TOKENS] of stories that the demo models never saw."""
    subprocess.run([sys.executable, "-B", ROOT / "models/demo/corpus.py", folder, "--train", "1", "--heldout", "200"], check=True,
                   stdout=subprocess.DEVNULL)
    stories = (json.loads(line)["text"] for line in (folder / "heldout.jsonl").read_text().splitlines())
    text = folder / "stories.txt"
    text.write_text("\n\n".join(stories))
    demo = ROOT / "models/demo/demo-dense.gguf"
    ids = contenders.run_json([hone.program, "tokenize", demo, text.read_text()[:count * WINDOW_TOKENS * 8], "--json"])["tokens"]
    assert len(ids) >= count * WINDOW_TOKENS, "the text is too short"
    return [ids[first:first + WINDOW_TOKENS] for first in range(0, count * WINDOW_TOKENS, WINDOW_TOKENS)]


def rows_of(contender, folder, model, windows, *options):
    """Logits of all windows, one after the other."""
    out, rows = folder / "logits.npy", []
    for ids in windows:
        contender.logits(model, ids, out, *options)
        rows += logit_distance.read_npy(out)
    return rows


def measure(hone, rival, folder, model, exact, windows):
    """{step: {side: distances}} of one file."""
    reference = rows_of(hone, folder, model, windows, "--references", "--kv", "f32")
    told = {}
    for step, tokens in STEPS.items():
        rows = {"hone": rows_of(hone, folder, model, windows, "--chunk", tokens),
                "llama.cpp": rows_of(rival, folder, model, windows, "--step", tokens)}
        told[step] = {side: {"computing": logit_distance.distance(reference, values),
                             "whole": logit_distance.distance(exact, values)} for side, values in rows.items()}
        for what in ("computing", "whole"):
            own, other = (told[step][side][what]["kl_divergence"] for side in ("hone", "llama.cpp"))
            told[step][f"{what}_ratio"] = own / other if max(own, other) > NOISE else None
    return told


def cells_of(told):
    cells = []
    for step in STEPS:
        for what in ("computing", "whole"):
            ratio = told[step][f"{what}_ratio"]
            cells += [f"{told[step][side][what]['kl_divergence']:.1e}" for side in ("hone", "llama.cpp")]
            cells.append("" if ratio is None else f"{ratio:.2f}" + mark(ratio, ALLOWED, False))
    return cells


def table(results):
    """Markdown; a ratio above what is asked carries it."""
    text = ""
    for model in dict.fromkeys(result["model"] for result in results):
        text += f"\n{model}: KL divergence in nats\n\n| type |" + "".join(
            f" {step}, {what}: Hone | llama.cpp | ratio |" for step in STEPS for what in ("computing", "whole"))
        text += "\n" + "|---" * 13 + "|\n"
        text += "".join(f"| `{result['type']}` | " + " | ".join(cells_of(result["steps"])) + " |\n"
                        for result in results if result["model"] == model)
    return text


def quantised(hone, folder, name, kind):
    made = folder / f"{name}-{kind}.gguf"
    model_files.make([hone.program, "quantize", ROOT / f"models/demo/{name}.gguf", "--type", kind], made)
    return made


def measure_model(hone, rival, folder, name, kinds, windows):
    exact = rows_of(hone, folder, quantised(hone, folder, name, "f32"), windows, "--references", "--kv", "f32")
    for kind in kinds:
        made = quantised(hone, folder, name, kind)
        yield {"model": name, "type": kind, "steps": measure(hone, rival, folder, made, exact, windows)}
        made.unlink()


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("llama", help="the Python that install_llama prints")
    parser.add_argument("--models", default=",".join(host_compare.DEMOS))
    parser.add_argument("--types", default=",".join(TYPES))
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--records", default="", help="a folder with records of tuning; without it kernels are chosen by estimate")
    parser.add_argument("--out", type=pathlib.Path)
    return parser.parse_args()


def write(out, header, result):
    """Adds the result to the file, in the place of an older one of the same model and type, and the table beside it."""
    results = json.loads(out.read_text())["results"] if out.exists() else []
    results = [old for old in results if (old["model"], old["type"]) != (result["model"], result["type"])] + [result]
    results.sort(key=lambda each: (each["model"], TYPES.index(each["type"])))
    out.write_text(json.dumps({**header, "results": results}, indent=1) + "\n")
    out.with_suffix(".md").write_text(table(results).lstrip())


def main():
    options = parse()
    hone, rival = contenders.Hone(options.hone.resolve(), "native", options.records), contenders.LlamaCpp(options.llama)
    header = {"machine": contenders.machine(), "commit": host_compare.commit(), "date": datetime.date.today().isoformat(),
              "rival": rival.built, "windows": options.windows, "window_tokens": WINDOW_TOKENS}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        windows = windows_of(hone, folder, options.windows)
        for model in options.models.split(","):
            for result in measure_model(hone, rival, folder, model, options.types.split(","), windows):
                print(table([result]).splitlines()[-1], flush=True)
                if options.out:
                    write(options.out, header, result)


if __name__ == "__main__":
    main()
