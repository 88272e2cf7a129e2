"""hone show --timeline: a trace as the trace event format documents it, a drawing that needs nothing else, and figures that
agree with both; hone bench --predict: every step of the plan beside what the simulator says.

usage: timeline_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER
"""
import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

HONE, SOURCE, SCRATCH = (pathlib.Path(word) for word in sys.argv[1:4])
MODEL = SOURCE / "models/demo/demo-moe.gguf"
PHASES = {"X": {"name", "cat", "ts", "dur", "pid", "tid"}, "M": {"name", "pid", "tid", "args"}}


def hone(*words, status=0):
    environment = dict(os.environ, XDG_CACHE_HOME=str(SCRATCH / "cache"), XDG_CONFIG_HOME=str(SCRATCH / "config"))
    done = subprocess.run([str(HONE), *map(str, words)], capture_output=True, env=environment, timeout=120)
    assert done.returncode == status, f"hone {words}: exit {done.returncode}, not {status}: {done.stderr.decode()}"
    return done.stderr.decode() if status else done.stdout.decode()


def check_trace(path, report):
    """Complete events and metadata with all that the format asks of them; no two on a track at once."""
    document = json.loads(path.read_text())
    assert document["displayTimeUnit"] in ("ms", "ns") and isinstance(document["traceEvents"], list)
    tracks, names = {}, {}
    for event in document["traceEvents"]:
        assert PHASES[event["ph"]] <= set(event), event
        assert all(type(event[key]) is int for key in ("pid", "tid")), event
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name") and event["args"]["name"], event
            names.setdefault(event["name"], []).append((event["pid"], event["tid"]))
            continue
        assert event["ts"] >= 0 and event["dur"] >= 0, event
        tracks.setdefault((event["pid"], event["tid"]), []).append(event)
    assert set(tracks) <= set(names["thread_name"]) and len(names["process_name"]) == 2
    assert set(tracks) >= {(0, 0), (1, 0)}
    for events in tracks.values():
        for before, after in zip(events, events[1:]):
            assert before["ts"] + before["dur"] <= after["ts"] + 1e-6, (before, after)
    last = max(event["ts"] + event["dur"] for events in tracks.values() for event in events)
    assert abs(last - 1e6 * report["seconds"]) < 1e-3 * last, (last, report["seconds"])
    launches = [event for event in tracks[0, 0] if event["cat"] == "launch"]
    assert launches and all(event["args"]["kernel"] and event["args"]["problem"] for event in launches)
    copies = [event for event in tracks[1, 0] if event["cat"] == "copy"]
    assert copies and all(event["args"]["bytes"] > 0 for event in copies)


def check_drawing(path):
    text = path.read_text()
    root = xml.etree.ElementTree.fromstring(text)
    words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "prefers-color-scheme:dark" in text and "http" not in text.replace("http://www.w3.org/2000/svg", "")
    for word in ("demo-moe.gguf", "Prompt of 96 tokens", "One generated token", "experts", "copies", "1: rtx3090"):
        assert word in words, word
    width, height = float(root.get("width")), float(root.get("height"))
    for node in root.iter("{http://www.w3.org/2000/svg}rect"):
        left, top = float(node.get("x", 0)), float(node.get("y", 0))
        assert 0 <= left <= left + float(node.get("width")) <= width, node.attrib
        assert 0 <= top <= top + float(node.get("height")) <= height, node.attrib


def check_show():
    shown = ("show", MODEL, "--devices", "rtx3090,rtx3090", "--prompt", 96, "--generate", 3, "--chunk", 32)
    report = json.loads(hone(*shown, "--timeline", SCRATCH / "line.json", "--json"))
    check_trace(SCRATCH / "line.json", report)
    assert report["prefill_tokens_per_second"] > 0 and report["decode_tokens_per_second"] > 0
    assert all(0 <= queue["prefill_busy"] <= 1 + 1e-9 for queue in report["queues"])
    assert "tokens/s" in hone(*shown, "--timeline", SCRATCH / "line.svg")
    check_drawing(SCRATCH / "line.svg")
    assert ".json or in .svg" in hone(*shown, "--timeline", SCRATCH / "line.txt", status=2)
    assert "--context" in hone(*shown, "--context", 64, "--timeline", SCRATCH / "line.json", status=2)


def check_bench():
    """Errors are of noise on a busy machine, so only what they are about is looked at."""
    bench = ("bench", MODEL, "--devices", "virtual:64MiB@1GFLOPS,1GB/s,virtual:64MiB@2GFLOPS,1GB/s", "--references",
             "--prompt", 8, "--generate", 2, "--repeat", 1, "--predict")
    prediction = json.loads(hone(*bench, "--json"))["prediction"]
    assert prediction["prefill_tokens_per_second"] > 0 and prediction["decode_tokens_per_second"] > 0
    for name, tokens in (("prefill_step", 8), ("decode_step", 1)):
        phase = prediction[name]
        assert phase["tokens"] == tokens
        copies = [row for row in phase["steps"] if row["step"] == "copy"]
        assert len(copies) == 1 and copies[0]["device"] == 1 and copies[0]["predicted_seconds"] > 0
        for row in phase["steps"]:
            error = row["predicted_seconds"] / row["measured_seconds"] - 1
            assert row["steps"] > 0 and abs(row["error"] - error) < 1e-6 * (1 + abs(error)), row
    assert "predicted against measured" in hone(*bench)


SCRATCH.mkdir(parents=True, exist_ok=True)
check_show()
check_bench()
