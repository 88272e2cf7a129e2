"""hone rys: a block that is planted is found, an interrupted search goes on, what is written can be read.

usage: rys_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER [kills]

With `kills` a search is killed at random instants instead, HONE_TEST_KILLS times (20).
"""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

sys.dont_write_bytecode = True
import planted_model

HONE, SOURCE, SCRATCH = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
LAYERS, TWIN, SEED = 6, 3, 7
WHOLE, PLANTED, TEXT, HELD_OUT = (SCRATCH / name for name in ("whole.gguf", "planted.gguf", "text.txt", "held-out.txt"))
CONTEXT = ("--context", 512)


def start(*words):
    environment = dict(os.environ, XDG_CACHE_HOME=str(SCRATCH / "cache"))
    return subprocess.Popen([str(HONE), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=environment)


def hone(*words, status=0):
    process = start(*words)
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, f"hone {words}: exit {process.returncode}, not {status}\n{err.decode()}"
    if status:
        told = [line for line in err.decode().splitlines() if line.startswith("hone: ")]
        assert len(told) == 1 and out == b"", f"hone {words}: not one clear error: {err!r}"
    return err.decode() if status else out.decode()


def json_of(*words):
    return json.loads(hone(*words, "--json"))


def rys(*words):
    return json_of("rys", PLANTED, "--probe", TEXT, "--held-out", HELD_OUT, *CONTEXT, *words)


def written_by(model, seed, tokens):
    """What the model says by itself, short enough for one window: nothing predicts it better than the model."""
    said = json_of("run", model, "-p", "a", "--tokens", tokens, "--temperature", 1, "--top-k", 0, "--top-p", 1,
                   "--seed", seed, "--ignore-end", *CONTEXT)["text"]
    return "a" + said.replace("<end>", "")


def check_planted_block():
    report = rys("-o", SCRATCH / "planted")
    best = report["best"][0]
    assert report["layers"] == LAYERS - 1 and report["scanned"] == report["block_count"] == (LAYERS - 1) * LAYERS // 2
    assert (best["begin"], best["end"]) == (TWIN, TWIN + 1), best
    ranked = sorted(report["blocks"], key=lambda block: -block["gain"])
    assert (ranked[0]["begin"], ranked[0]["end"]) == (TWIN, TWIN + 1)
    assert ranked[0]["gain"] > max(0, ranked[1]["gain"]) + 0.2, ranked[:2]
    for name, path in (("probe", TEXT), ("held_out", HELD_OUT)):
        right = json_of("eval", WHOLE, path, *CONTEXT)["perplexity"]
        assert abs(best[name]["perplexity"] / right - 1) < 1e-6, (name, best, right)
        plain = json_of("eval", PLANTED, path, *CONTEXT)["perplexity"]
        assert abs(report["base"][name]["perplexity"] / plain - 1) < 1e-6 and plain > 1.2 * right
    mapped = json_of("eval", PLANTED, TEXT, *CONTEXT, "--layer-map", best["layer_map"])["perplexity"]
    assert abs(best["probe"]["perplexity"] / mapped - 1) < 1e-6
    assert best["added_layers"] == 1 and best["decode_seconds"] > 0
    check_files(report)
    print(f"found ({TWIN}, {TWIN + 1}): perplexity {best['held_out']['perplexity']:.3f}, of the model as it is "
          f"{report['base']['held_out']['perplexity']:.3f}, of the next best block {report['best'][1]['held_out']['perplexity']:.3f}")
    return report


def check_files(report):
    folder = SCRATCH / "planted"
    assert json.loads((folder / "report.json").read_text())["blocks"] == report["blocks"]
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 1 + report["block_count"] + 1 + 10
    assert all(re.fullmatch("[0-9a-f]{32}", json.loads(line)["check"]) for line in lines)
    drawing = xml.etree.ElementTree.parse(folder / "heat-map.svg").getroot()
    name = lambda kind: "{http://www.w3.org/2000/svg}" + kind
    tips = [tip.text for tip in drawing.iter(name("title"))]
    cells = [cell for cell in drawing.iter(name("rect")) if cell.get("class") in ("gain", "loss") and cell.get("x")]
    assert len([tip for tip in tips if tip.startswith("(")]) == report["block_count"] <= len(cells)
    best = next(cell for cell in drawing.iter(name("rect")) if cell.get("class") == "best")
    wanted = next(tip for tip in tips if tip.startswith(f"({TWIN}, {TWIN + 1})"))
    assert "gain +" in wanted and best.get("x")
    svg = (folder / "heat-map.svg").read_text()
    assert "prefers-color-scheme:dark" in svg and "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def check_resuming(report):
    """A ledger without its last lines, and with a half one: the rest is scored, nothing else."""
    ledger = SCRATCH / "planted/ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(lines[:12]) + lines[12][:40])
    again = rys("-o", SCRATCH / "planted")
    assert again["resumed"] == 11 and without_times(again) == without_times(report)
    assert rys("-o", SCRATCH / "planted")["resumed"] == len(lines) - 1
    assert len(ledger.read_text().splitlines()) == len(lines)
    shown = hone("rys", PLANTED, "--probe", TEXT, "--held-out", HELD_OUT, *CONTEXT, "-o", SCRATCH / "planted", "--top", 3)
    assert f"--layer-map 0..{TWIN},{TWIN}..{LAYERS - 2}" in shown and f"({TWIN}, {TWIN + 1})" in shown


def without_times(report):
    """What may not depend on when it was computed."""
    clean = lambda block: {key: value for key, value in block.items() if "seconds" not in key}
    return {"base": clean(report["base"]), "best": [clean(block) for block in report["best"]],
            "blocks": [clean(block) for block in report["blocks"]], "scanned": report["scanned"]}


def check_refusals(report):
    ledger = SCRATCH / "planted/ledger.jsonl"
    words = ("--held-out", HELD_OUT, *CONTEXT, "--ledger", ledger)
    assert "another probe" in hone("rys", PLANTED, "--probe", HELD_OUT, *words, status=2)
    assert "another model" in hone("rys", WHOLE, "--probe", TEXT, *words, status=2)
    other = SCRATCH / "other.gguf"
    planted_model.write_models(SCRATCH / "ignored.gguf", other, LAYERS, TWIN, SEED + 1)
    assert "another model" in hone("rys", other, "--probe", TEXT, *words, status=2)  # of the same shape
    assert "another held-out" in hone("rys", PLANTED, "--probe", TEXT, *CONTEXT, "--held-out", TEXT, "--ledger", ledger,
                                      status=2)
    assert "numerics" in hone("rys", PLANTED, "--probe", TEXT, *words, "--kv", "f32", status=2)
    good = ledger.read_text().splitlines(keepends=True)
    damaged, foreign = SCRATCH / "damaged.jsonl", SCRATCH / "foreign.jsonl"
    damaged.write_text("".join(good[:5] + [good[5].replace("1", "2", 1)] + good[6:]))
    before = damaged.read_bytes()
    assert "line 6" in hone("rys", PLANTED, "--probe", TEXT, *words[:-1], damaged, status=3)
    foreign.write_text("a text that nobody may touch")
    assert "another kind" in hone("rys", PLANTED, "--probe", TEXT, *words[:-1], foreign, status=3)
    assert damaged.read_bytes() == before and foreign.read_text() == "a text that nobody may touch"
    plan = SCRATCH / "planted.plan"
    hone("compile", PLANTED, *CONTEXT, "--references", "-o", plan)
    assert "is a plan" in hone("rys", plan, "--probe", TEXT, status=2)
    assert "--probe" in hone("rys", PLANTED, status=2)
    for blocks in ("3", "5..3", f"0..{LAYERS}", "a..b", "1..2x"):
        assert "--blocks" in hone("rys", PLANTED, "--probe", TEXT, "--blocks", blocks, status=2), blocks
    (SCRATCH / "short.txt").write_text("ab")
    hone("rys", PLANTED, "--probe", SCRATCH / "short.txt", status=3)
    hone("rys", PLANTED, "--probe", SCRATCH / "nothing.txt", status=3)


def check_splits_and_limits():
    """Half of the probe is held back, by the seed; blocks and budget bound the scan."""
    words = ("rys", PLANTED, "--probe", TEXT, *CONTEXT, "--blocks", "2..4")
    first, same, other = json_of(*words), json_of(*words), json_of(*words, "--seed", 5)
    assert first["block_count"] == 6 and all(2 <= block["begin"] < block["end"] <= 5 for block in first["blocks"])
    assert without_times(first) == without_times(same) != without_times(other)
    assert json_of(*words, "--budget", "0.000001s")["scanned"] <= 1
    assert len(json_of(*words, "--top", 2)["best"]) == 2 and json_of(*words, "--top", 0)["best"] == []


def check_questions():
    """Questions that the whole model would answer: of two continuations the one that it finds more probable."""
    questions, report = SCRATCH / "questions.jsonl", None
    pieces = [TEXT.read_text()[at:at + 24] for at in range(0, 384, 24)]
    lines = [{"question": piece[:16], "choices": [piece[16:], pieces[p - 1][16:], pieces[p - 2][16:]], "answer": 0}
             for p, piece in enumerate(pieces)]
    questions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    picks = json_of("eval", WHOLE, questions, *CONTEXT)["picks"]
    for line, pick in zip(lines, picks):
        line["answer"] = pick["raw"]
    questions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    report = json_of("rys", PLANTED, "--probe", questions, "--held-out", questions, *CONTEXT, "--heat-map",
                     SCRATCH / "questions.svg")
    best = report["best"][0]
    assert (best["begin"], best["end"]) == (TWIN, TWIN + 1) and best["probe"]["accuracy"] == 1.0, best
    told = json_of("eval", PLANTED, questions, *CONTEXT)["accuracy"]
    assert report["base"]["probe"]["accuracy"] == told < 1
    assert abs(best["gain"] - (1 - told)) < 1e-12 and "accuracy 100.00" in (SCRATCH / "questions.svg").read_text()


def check_interrupting():
    ledger = SCRATCH / "stopped.jsonl"
    process = start("rys", PLANTED, "--probe", TEXT, "--held-out", HELD_OUT, *CONTEXT, "--references", "--ledger", ledger)
    while not ledger.exists() or ledger.read_bytes().count(b"\n") < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == b"" and b"goes on from" in err, (process.returncode, err)


def kill_once(numbers, words, ledger):
    """Starts the search and kills it some lines later, or before the first one."""
    whole = lambda: ledger.read_bytes().rpartition(b"\n")[0].split(b"\n") if ledger.exists() else []
    before, process = whole(), start(*words)
    more, started = numbers.randrange(5), time.monotonic()
    while process.poll() is None and len(whole()) < len(before) + more and time.monotonic() < started + 60:
        time.sleep(0.002)
    time.sleep(numbers.uniform(0, 0.4 if more == 0 else 0.03))
    seen = whole()  # on the disk for another process: not to be lost
    process.kill()
    process.communicate()
    after = whole()
    assert seen[:len(before)] == before and after[:len(seen)] == seen, (before, seen, after)
    return process.returncode == -signal.SIGKILL


def check_kills():
    """No score that was in the ledger is lost, and the end is that of a search that nobody killed."""
    kills, killed = int(os.environ.get("HONE_TEST_KILLS", "20")), 0
    numbers = random.Random(SEED)
    words = ("rys", PLANTED, "--probe", TEXT, "--held-out", HELD_OUT, *CONTEXT, "--top", 40, "--json")
    right = json.loads(hone(*words))
    while killed < kills:
        ledger = SCRATCH / f"killed-{killed}.jsonl"  # another one when a search came to its end
        while killed < kills and kill_once(numbers, (*words, "--ledger", ledger), ledger):
            killed += 1
        end = json.loads(hone(*words, "--ledger", ledger))
        lines = [json.loads(line) for line in ledger.read_text().splitlines()][1:]
        assert without_times(end) == without_times(right)
        assert len(lines) == len({(line["part"], line["begin"], line["end"]) for line in lines}) == 2 * (right["block_count"] + 1)
    print(f"{killed} kills, no score lost, the same result as without them")


def main():
    kills = sys.argv[4:] == ["kills"]
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    planted_model.write_models(WHOLE, PLANTED, LAYERS, TWIN, SEED)
    TEXT.write_text(written_by(WHOLE, 1, 400))
    HELD_OUT.write_text(written_by(WHOLE, 2, 400))
    if kills:
        return check_kills()
    report = check_planted_block()
    check_resuming(report)
    check_splits_and_limits()
    check_questions()
    check_refusals(report)
    check_interrupting()


main()
