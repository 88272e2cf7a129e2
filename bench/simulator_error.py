"""How far the simulator's prediction is from what is measured, on random plans over virtual cards with a modelled speed.

A card's speed is so low that the host does its real work several times quicker: what is tested is the time line, the order
of queues, copies and waits, not the estimates of kernels.

usage: simulator_error.py HONE [--plans 20] [--first 0] [--seed 1] [-o RESULT.json]    (with -o: adds to the file)
"""
import argparse
import json
import pathlib
import random
import statistics
import subprocess
import tempfile

PRESETS = ("small-dense", "small-moe", "small-latent", "small-sinks")


STREAMED_FROM = 20  # plans from this number on bring weights from the host's memory


def draw(generator, number):
    """A model, its cards, and how it is fed."""
    cards = generator.choice((1, 2, 2, 3))
    speeds = [round(0.5 * 4 ** generator.random(), 3) for _ in range(cards)]  # MFLOPS
    quicker = 20 if number >= STREAMED_FROM else 1  # weights are more than activations
    links = [round(0.02 * quicker * 20 ** generator.random(), 4) for _ in range(cards)]  # MB/s
    plan = {
        "preset": generator.choice(PRESETS),
        "layers": generator.randint(max(2, cards), 5),
        "devices": ",".join(f"virtual:{generator.choice((64, 96, 160))}MiB@{speed}MFLOPS,{link}MB/s"
                            for speed, link in zip(speeds, links)),
        "prompt": generator.choice((6, 8, 12)),
        "chunk": generator.choice((4, 6, 12)),
        "generate": 2,
    }
    if number >= STREAMED_FROM:
        plan["stream"] = generator.choice(("layers", "layers=1", "experts"))
        plan["devices"] += ",cpu"
    return plan


def measure(hone, plan, folder, cache):
    model = folder / "model.gguf"
    subprocess.run([hone, "synth", plan["preset"], "--layers", str(plan["layers"]), "--type", "f32", "-o", model, "--quiet"],
                   check=True, stdout=subprocess.DEVNULL)
    words = [hone, "bench", model, "--devices", plan["devices"], "--references", "--predict", "--json", "--quiet",
             "--repeat", "1", "--cache", cache]
    for name in ("prompt", "chunk", "generate"):
        words += [f"--{name}", str(plan[name])]
    if "stream" in plan:
        words += ["--stream", plan["stream"]]
    document = json.loads(subprocess.run(words, check=True, capture_output=True, timeout=120).stdout)
    prediction = document["prediction"]
    measured = {phase: document[f"{phase}_tokens_per_second"] for phase in ("prefill", "decode")}
    predicted = {phase: prediction[f"{phase}_tokens_per_second"] for phase in ("prefill", "decode")}
    seconds = {kind: plan["prompt"] / rates["prefill"] + plan["generate"] / rates["decode"]
               for kind, rates in (("measured", measured), ("predicted", predicted))}
    return {**plan, "measured_seconds": seconds["measured"], "predicted_seconds": seconds["predicted"],
            "error": seconds["predicted"] / seconds["measured"] - 1, "prefill_error": prediction["prefill_error"],
            "decode_error": prediction["decode_error"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("--plans", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", dest="output", type=pathlib.Path)
    arguments = parser.parse_args()
    rows = []
    if arguments.output and arguments.output.exists():
        rows = json.loads(arguments.output.read_text())["plans"]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.first, arguments.first + arguments.plans):
            plan = draw(random.Random(f"{arguments.seed} {number}"), number)
            row = {"number": number, **measure(arguments.hone, plan, pathlib.Path(folder), f"{folder}/cache")}
            rows = [other for other in rows if other["number"] != number] + [row]
            print(f"{number:3} {row['error']:+7.1%}  prompt {row['prefill_error']:+7.1%}  generation "
                  f"{row['decode_error']:+7.1%}  {row['measured_seconds']:.2f} s  {row['preset']} {row['devices']}",
                  flush=True)
    errors = sorted(abs(row["error"]) for row in rows)
    document = {"seed": arguments.seed, "median_error": statistics.median(errors), "largest_error": errors[-1],
                "within_a_tenth": sum(error <= 0.1 for error in errors), "plans": sorted(rows, key=lambda r: r["number"])}
    print(f"{document['within_a_tenth']} of {len(rows)} within 10 %, median {document['median_error']:.1%}, "
          f"largest {document['largest_error']:.1%}")
    if arguments.output:
        arguments.output.write_text(json.dumps(document, indent=1) + "\n")


main()
