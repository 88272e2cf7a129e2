"""Out of memory: what is given up is told on standard error and in --json, changes no token, and where nothing is left the
exit status is 5 and the error says how many bytes would be needed.

usage: demotion_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER
"""
import json
import os
import pathlib
import re
import subprocess
import sys

HONE, SOURCE, SCRATCH = (pathlib.Path(word) for word in sys.argv[1:4])
MODEL = SOURCE / "models/demo/demo-moe.gguf"
COMMON = ("--references", "--context", 256, "--threads", 1, "--cache", "")
RUN = ("run", MODEL, "--token-ids", "1,15,27", "--tokens", 4, "--temperature", 0, *COMMON)


def hone(*words, status=0):
    """(stdout, stderr)"""
    environment = dict(os.environ, XDG_CACHE_HOME=str(SCRATCH / "cache"), XDG_CONFIG_HOME=str(SCRATCH / "config"))
    done = subprocess.run([str(HONE), *map(str, words)], capture_output=True, env=environment, timeout=120)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, f"hone {words}: exit {done.returncode}, not {status}: {err}"
    return out, err


def check_told(devices, split, expected):
    out, err = hone(*RUN, "--json", "--devices", devices, "--split", split)
    run = json.loads(out)
    assert [each["gave_up"] for each in run["demotions"]] == expected, run["demotions"]
    assert err.count("hone: warning: out of memory") == len(expected), err
    for each in run["demotions"]:
        assert each["device"] == devices.split(",")[0] and each["message"] in err and each["reason"] in err, (each, err)
    return run["tokens"]


def check_refused():
    error = hone(*RUN, "--devices", "virtual:64KiB", status=5)[1]
    assert error.count("\n") == 1 and re.search(r"; \d+ bytes more are needed, and nothing is left to give up", error), error


SCRATCH.mkdir(parents=True, exist_ok=True)
right = check_told("cpu", "layers", [])
assert len(right) == 4
assert check_told("virtual:5800KiB,cpu", "tensor=1:0", ["kv"]) == right
assert check_told("virtual:64KiB,cpu", "tensor=1:0", ["kv", "chunk", "layers"]) == right
check_refused()
report = json.loads(hone("bench", MODEL, *COMMON, "--prompt", 8, "--generate", 2, "--repeat", 1, "--json", "--devices",
                         "virtual:1MiB,cpu", "--split", "tensor=1:0")[0])
assert report["demotions"] and report["decode_tokens_per_second"] > 0, report
