"""What transformers makes of the demo models: greedy continuations and logits, from the GGUF files alone.

    python make_demo_vectors.py [--models FOLDER] [--out FOLDER]

Weights are the dequantised q8_0 ones, the arithmetic is float32. Of PROMPTS each model keeps the three whose greedy
continuations are decided most clearly, so that another order of sums cannot change them. What rounding the
activations to 8 bits does is measured with the float64 network of the other oracle vectors.
"""

import argparse
import json
import pathlib
import sys

import numpy
import torch

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parents[2] / "models" / "demo"
sys.path[:0] = [str(HERE.parent), str(MODELS)]

from demo_reader import read_model, read_tokenizer    # noqa: E402
from oracle_cases import CaseMaker                    # noqa: E402

PROMPTS = (
    "Once upon a time, there was a brave girl named", "Long ago, there was a kind fox called Leo. He lived in",
    "There once was a shy bear named Anna. She", "Tom was a clever boy who lived in a house with a blue door. Tom had",
    "In a dark cave, there lived a busy bear named Ivy.", "One sunny morning, Ben went to the river.",
    "Mia lost her red ball in the park. \"Do not cry,\" said Jack.", "Lucy was hungry. Lucy",
    "\"Who are you?\" asked Sam. \"I am Nora the owl,\"", "Emma had a yellow kite. One day, Emma was playing with",
    "When the rain stopped, there was", "Peter the mouse gave Ella a silver bell. \"Thank you,",
)
PROMPTS_KEPT = 3
GENERATED = 32
LOGITS_TOKENS = 16


@torch.no_grad()
def logits_of(model, ids):
    """[positions, vocabulary]"""
    return model(torch.tensor([ids]), use_cache=False).logits[0].numpy()


def continue_greedily(run, ids):
    """(GENERATED more ids, the margin of the best over the second best logit at each); nothing is cached.

    `run` gives the logits of ids at all positions.
    """
    ids, margins = list(ids), []
    for _ in range(GENERATED):
        row = run(ids)[-1]
        second, best = numpy.argpartition(row, -2)[-2:]
        ids.append(int(best))
        margins.append(float(row[best] - row[second]))
    return ids[-GENERATED:], margins


def describe_prompt(maker, tokenizer, prompt):
    ids = [maker.configuration.bos_token_id, *tokenizer.encode(prompt).ids]
    generated, margins = continue_greedily(lambda ids: logits_of(maker.network, ids), ids)
    rounded = continue_greedily(lambda ids: maker.rounded.run(ids)[0], ids)[0]
    case = dict(prompt=prompt, generated_text=tokenizer.decode(generated), generated=generated,
                margins=[round(margin, 4) for margin in margins], least_margin=round(min(margins), 4),
                rounded_generates_the_same=rounded == generated)
    whole = ids + generated
    described = maker.describe("demo", whole, list(range(len(whole))), logits_of(maker.network, whole))
    for name in ("bound", "bound_rounded_activations", "bound_rounded_activations_rms", "router_margin"):
        if name in described:
            case[name] = described[name]
    return dict(case, ids=ids)


def write_json(path, document):
    """One key a line, arrays on one line."""
    def lines(value, indent):
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inside = ",\n".join(" " * (indent + 2) + lines(item, indent + 2) for item in value)
            return f"[\n{inside}\n{' ' * indent}]"
        if isinstance(value, dict):
            inside = ",\n".join(f"{' ' * (indent + 2)}{json.dumps(key)}: {lines(item, indent + 2)}"
                                for key, item in value.items())
            return f"{{\n{inside}\n{' ' * indent}}}"
        return json.dumps(value)

    path.write_text(lines(document, 0) + "\n", encoding="utf-8")


def write_vectors(path, out):
    network, tokenizer = read_model(path), read_tokenizer(path)
    maker = CaseMaker(network, "q8_0", None)
    cases = [describe_prompt(maker, tokenizer, prompt) for prompt in PROMPTS]
    cases.sort(key=lambda case: case["least_margin"], reverse=True)
    for case in cases:
        print(f"{path.stem}: margin {case['least_margin']:.3f}, rounded the same {case['rounded_generates_the_same']}, "
              f"router {case.get('router_margin', numpy.inf):.3f}: {case['prompt']} >{case['generated_text']}")
    clearest = max(cases, key=lambda case: case.get("router_margin", numpy.inf))
    ids = (clearest["ids"] + clearest["generated"])[:LOGITS_TOKENS]
    rows = logits_of(network, ids)
    numpy.save(out / f"{path.stem}.logits.npy", rows)
    logits = dict(maker.describe("prefill", ids, list(range(len(ids))), rows), logits=f"{path.stem}.logits.npy")
    print(logits)
    write_json(out / f"{path.stem}.prompts.json", dict(model=path.name, prompts=cases[:PROMPTS_KEPT], logits=logits))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=pathlib.Path, default=MODELS)
    parser.add_argument("--out", type=pathlib.Path, default=HERE)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for kind in ("dense", "moe"):
        write_vectors(arguments.models / f"demo-{kind}.gguf", arguments.out)


if __name__ == "__main__":
    main()
