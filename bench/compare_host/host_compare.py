"""Hone against llama.cpp on the host, in turn: rates, load, memory, shares of the machine's limits (run by bench/compare)."""
import argparse
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import contenders
import host_rows
import logit_distance
import model_files
import round_summary

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DEMOS = ("demo-dense", "demo-moe")
CHECK_TOKENS = 128
# Both round activations to 8 bits; a broken kernel is off by whole nats.
CHECK_DIVERGENCE, CHECK_AGREEMENT = 0.01, 0.97
TRIAL_GENERATE = 16
# More of the processors taken by others, and a round is taken again; there are as many further tries as rounds.
FOREIGN_MOST = 0.08


def say(text):
    print(text, file=sys.stderr, flush=True)


def check_rival(hone, rival, family, instructions):
    """Its answers before its speed: logits of the demo models against Hone's reference implementations."""
    text = "Once upon a time there was a small fox who lived near the river. " * 12
    told = {}
    with tempfile.TemporaryDirectory() as folder:
        for demo in DEMOS:
            model = ROOT / f"models/demo/{demo}.gguf"
            ids = contenders.run_json([hone.program, "tokenize", model, text, "--json"])["tokens"][:CHECK_TOKENS]
            right, other = pathlib.Path(folder) / "right.npy", pathlib.Path(folder) / "other.npy"
            hone.logits(model, ids, right, "--references", "--kv", "f32")
            system = rival.logits(model, ids, other)["system"]
            told[demo] = far = logit_distance.distance(logit_distance.read_npy(right), logit_distance.read_npy(other))
            if far["kl_divergence"] > CHECK_DIVERGENCE or far["top_token_agreement"] < CHECK_AGREEMENT:
                raise contenders.Failed(f"llama.cpp computes {demo} wrongly, its time would not count: {far}")
    if family == "native" and "amx_int8" in instructions and "AMX_INT8 = 1" not in system:
        raise contenders.Failed(f"this processor has AMX, and llama.cpp was built without: {system}")
    return {"logits": told, "system": system}


def best_settings(rival, model, row):
    """llama.cpp's faster flash-attention setting for a prompt and its generation together."""
    seconds = {}
    for flash in ("off", "on"):
        told = rival.rates(model, row.prompt, TRIAL_GENERATE, row.sequences[0], {"flash": flash})
        seconds[flash] = row.prompt / told["prefill_tokens_per_second"] + row.generate / told["decode_tokens_per_second"]
    return {"flash": min(seconds, key=seconds.get), "trial_seconds": seconds}


def settings_of(rival, model, row, family, cache):
    """Tried once for a file and a build, then remembered."""
    path = cache / "settings.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    key = f"{model.name} {family} {rival.built['package']} {row.prompt}"
    if key not in known:
        known[key] = best_settings(rival, model, row)
        path.write_text(json.dumps(known, indent=1) + "\n")
    return known[key]


def tune(hone, model, row, budget):
    for sequences in row.sequences:
        say(f"{row.name}: tuning for {sequences} sequence{'s' * (sequences > 1)}, at most {budget}")
        subprocess.run(list(map(str, hone.tune_command(model, row.prompt, row.generate, sequences, budget))), check=True,
                       stdout=subprocess.DEVNULL)


def take_round(sides, row, model, settings, number):
    """{sequences: {side: rates}}, one after the other, in an order that turns with every round."""
    order = sides if number % 2 == 0 else sides[::-1]
    return {sequences: {side.name: side.rates(model, row.prompt, row.generate, sequences, settings) for side in order}
            for sequences in row.sequences}


def foreign_share(told):
    return max(side["foreign_share"] for sides in told.values() for side in sides.values())


def told_of(told):
    rates = ", ".join(f"{sequences} at once: " + ", ".join(
        f"{name} {side['decode_tokens_per_second']:.1f}" for name, side in sorted(sides.items()))
                      for sequences, sides in told.items())
    return f"decode {rates} tok/s; others took {100 * foreign_share(told):.0f} %"


def measure(sides, row, model, settings, rounds):
    """(rounds, rounds thrown away because others took the processors; when too many are, all count)."""
    taken, disturbed = [], []
    while len(taken) < rounds:
        told = take_round(sides, row, model, settings, len(taken) + len(disturbed))
        keep = foreign_share(told) <= FOREIGN_MOST or len(disturbed) >= rounds
        (taken if keep else disturbed).append(told)
        say(f"{row.name}: {'round ' + str(len(taken)) if keep else 'not counted'}: {told_of(told)}")
    return taken, disturbed


def entry_of(row, family, sides, model, settings, taken, disturbed):
    by_sequences = {count: [told[count] for told in taken] for count in row.sequences}
    targets = host_rows.targets_of(row, family)
    commands = {side.name: " ".join(map(str, side.rates_command(model.name, row.prompt, row.generate, row.sequences[0], settings)))
                for side in sides}
    for name in commands:  # as they would be typed in the repository, with the file's name alone
        commands[name] = commands[name].replace(f"{ROOT}/", "")
    entry = {"row": row.name, "model": row.model, "layers": row.layers or "all", "family": family, "rounds_taken": len(taken),
             "rounds_disturbed": len(disturbed),
             "targets": vars(targets) if targets else None, "settings": settings, "commands": commands,
             "summary": {str(count): round_summary.summarise(rounds) for count, rounds in by_sequences.items()}}
    if len(row.sequences) > 1:
        entry.update(step_costs=round_summary.step_costs(by_sequences), step_cost=row.step_cost, four_gain=row.four_gain)
    entry["rounds"] = {str(count): rounds for count, rounds in by_sequences.items()}
    return entry


def commit():
    told = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return told.stdout.strip() or "unknown"


def write(path, header, entry):
    """Adds the row to the file, in the place of an older one, and the table of all rows beside it."""
    document = json.loads(path.read_text()) if path.exists() else {"rows": []}
    order = [row.name for row in host_rows.ROWS]
    entries = [old for old in document["rows"] if old["row"] != entry["row"]] + [entry]
    entries.sort(key=lambda each: order.index(each["row"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**header, "rows": entries}, indent=1) + "\n")
    path.with_suffix(".md").write_text(round_summary.table(entries))


def parse():
    parser = argparse.ArgumentParser(prog="bench/compare")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to measure, * and ? allowed (default: all)")
    parser.add_argument("--hone", type=pathlib.Path, required=True)
    parser.add_argument("--llama", required=True, help="the Python that has llama.cpp")
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--models", type=pathlib.Path, required=True)
    parser.add_argument("--family", choices=tuple(contenders.HONE_CPU), default="native")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", default="3m", help="for tuning a row (default 3m); 0s: use what was tuned before")
    parser.add_argument("--with", dest="others", action="append", default=[], choices=tuple(contenders.Other.KNOWN),
                        help="a further rival, installed into the cache; may be given several times")
    parser.add_argument("--prepare", action="store_true", help="make files and tune, measure nothing")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    try:
        options.rows = host_rows.rows_like(options.rows)
    except ValueError as error:
        parser.error(str(error))
    return options


def row_of(options, sides, row, family):
    hone, rival = sides[:2]
    sides = sides[:2] + [other for other in sides[2:] if other.takes(row)]
    model = model_files.model_file(hone.program, options.models, row)
    if options.budget != "0s":
        tune(hone, model, row, options.budget)
    settings = settings_of(rival, model, row, options.family, options.cache)
    if options.prepare:
        return None
    return entry_of(row, family, sides, model, settings, *measure(sides, row, model, settings, options.rounds))


def compare(options):
    machine = contenders.machine()
    hone = contenders.Hone(options.hone.resolve(), options.family, options.cache / f"hone-{options.family}")
    rival = contenders.LlamaCpp(options.llama)
    header = {"machine": machine, "commit": commit(), "date": datetime.date.today().isoformat(), "rival": dict(rival.built)}
    header["rival"].update(check_rival(hone, rival, options.family, machine["instructions"]))
    say(f"llama.cpp's logits agree with Hone's reference; it has {header['rival']['system']}")
    others = contenders.install_others(options.others, options.cache)
    native = "native-amx" if "amx_int8" in machine["instructions"] else "avx512-vnni"
    family = native if options.family == "native" else options.family
    out = options.out or ROOT / f"bench/results/compare-{options.family}-{header['date']}.json"
    for row in options.rows:
        entry = row_of(options, [hone, rival, *others], row, family)
        if entry:
            write(out, header, {**entry, "commit": header["commit"]})
            print(round_summary.table([entry]), flush=True)


def main():
    options = parse()
    try:
        compare(options)
    except contenders.Failed as error:
        sys.exit(f"bench/compare: {error}")


if __name__ == "__main__":
    main()
