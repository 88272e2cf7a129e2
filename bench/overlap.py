"""What overlaps on virtual cards with a modelled speed: streamed weights with work, and chunks of a prompt over two cards.

The modelled speeds are so low that the host does its real work several times quicker: what is measured is the order of
queues, copies and waits.

usage: overlap.py HONE [-o RESULT.json] [--only stream|pipeline]
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

LINK = 4e6  # bytes per second, of the model
AHEAD = 4
NEAR = 0.9  # compute is this share of the transfers' time


def run(hone, words):
    return subprocess.run([hone, *map(str, words)], check=True, capture_output=True, text=True).stdout


def rates(hone, model, cache, devices, prompt, chunk, generate, *more):
    words = ["bench", model, "--devices", devices, "--references", "--json", "--quiet", "--cache", cache, "--context", 512,
             "--prompt", prompt, "--chunk", chunk, "--generate", generate, "--repeat", 1, *more]
    found = json.loads(run(hone, words))
    return {"prefill": chunk / found["prefill_tokens_per_second"], "decode": 1 / found["decode_tokens_per_second"]}


def streamed_bytes(hone, model):
    """Of the experts: what the host keeps when they are streamed."""
    text = run(hone, ["show", "--fused", model, "--devices", "virtual:64MiB,cpu", "--split", "tensor=1:0", "--stream", "experts",
                      "--references", "--quiet"])
    total = 0
    for line in text.splitlines():
        if line.startswith("weight") and "device 1" in line:
            shape = line.split("[")[1].split("]")[0].split(",")
            elements = int(shape[0]) * int(shape[1]) * int(shape[2])
            total += elements * 4
    return total


def measure_stream(hone, folder, cache):
    model = folder / "moe.gguf"
    run(hone, ["synth", "small-moe", "--layers", 6, "--type", "f32", "-o", model, "--quiet"])
    transfer = streamed_bytes(hone, model) / LINK
    rows = []
    for phase, prompt, chunk, generate in (("decode", 8, 8, 4), ("prefill", 64, 8, 1)):
        # The work of a step at 20 MFLOPS, with an endless link, gives the speed at which it takes a little less than transfers.
        probe = rates(hone, model, cache, "virtual:64MiB@20MFLOPS,1000GB/s", prompt, chunk, generate)[phase]
        speed = 20 * probe / (NEAR * transfer)
        card = f"virtual:64MiB@{speed:.6f}MFLOPS"
        compute = rates(hone, model, cache, f"{card},1000GB/s", prompt, chunk, generate)[phase]
        row = {"phase": phase, "tokens_per_step": chunk if phase == "prefill" else 1, "link_bytes_per_second": LINK,
               "modelled_mflops": speed, "compute_seconds": compute, "transfer_seconds": transfer,
               "bound_seconds": max(compute, transfer)}
        for name, ahead in (("prefetched", AHEAD), ("without_prefetch", 0)):
            seconds = rates(hone, model, cache, f"{card},{LINK / 1e6}MB/s,cpu", prompt, chunk, generate, "--split", "tensor=1:0",
                            "--stream", f"experts={ahead}")[phase]
            row[f"{name}_seconds"] = seconds
            row[f"{name}_share_of_bound"] = row["bound_seconds"] / seconds
        rows.append(row)
    return rows


def measure_pipeline(hone, folder, cache):
    model = folder / "dense.gguf"
    run(hone, ["synth", "small-dense", "--layers", 8, "--type", "f32", "-o", model, "--quiet"])
    card = "virtual:64MiB@20MFLOPS,1GB/s"
    one = rates(hone, model, cache, card, 256, 8, 1)["prefill"]
    two = rates(hone, model, cache, f"{card},{card}", 256, 8, 1)["prefill"]
    return {"chunks": 32, "one_card_seconds_per_chunk": one, "two_cards_seconds_per_chunk": two, "speed_up": one / two}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("--only", choices=("stream", "pipeline"))
    arguments = parser.parse_args()
    hone = arguments.hone.resolve()
    result = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if arguments.only != "pipeline":
            result["stream"] = measure_stream(hone, folder, folder / "cache")
        if arguments.only != "stream":
            result["pipeline"] = measure_pipeline(hone, folder, folder / "cache")
    text = json.dumps(result, indent=1) + "\n"
    print(text, end="")
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
