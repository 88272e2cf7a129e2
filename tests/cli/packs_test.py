"""hone store: records are written to packs, read back, merged, and decide elsewhere as they did here.

usage: packs_test.py HONE SOURCE SCRATCH
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

HONE, SOURCE, SCRATCH = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
LLAMA = SOURCE / "tests/oracle/vectors/models/llama/llama-f32.gguf"
CACHE, OTHER = SCRATCH / "tuned", SCRATCH / "other"


def hone(*words, status=0):
    environment = dict(os.environ, XDG_CACHE_HOME=str(SCRATCH / "cache"), XDG_CONFIG_HOME=str(SCRATCH / "config"))
    done = subprocess.run([HONE, *map(str, words)], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done


def json_of(*words, status=0):
    return json.loads(hone(*words, "--json", status=status).stdout)


def test_records_travel():
    for op in ("linear", "rmsnorm"):
        json_of("tune", LLAMA, "--cache", CACHE, "--op", op, "--effort", 1)
    listed = json_of("store", "list", "--cache", CACHE)["records"]
    assert listed and {r["status"] for r in listed} >= {"ok"}
    whole, part, both = (SCRATCH / name for name in ("whole.pack", "part.pack", "both.pack"))
    written = json_of("store", "export", whole, "--cache", CACHE)
    assert (written["added"], written["origins"]) == (len(listed), 1)
    assert "exists already" in hone("store", "export", whole, "--cache", CACHE, status=2).stderr
    came = json_of("store", "import", whole, "--cache", OTHER)
    assert (came["added"], came["known"], came["conflicts"], came["left_out"]) == (len(listed), 0, 0, 0)
    again = json_of("store", "import", whole, "--cache", OTHER)
    assert (again["added"], again["known"]) == (0, len(listed))
    health = json_of("store", "doctor", "--cache", OTHER)
    assert health["records"] == len(listed) and health["damaged"] == 0
    some = json_of("store", "export", part, "--cache", CACHE, "--op", "linear")["added"]
    assert 0 < some < len(listed)
    merged = json_of("store", "merge", part, whole, "-o", both)
    assert (merged["added"], merged["known"]) == (len(listed), some)
    decided = [[step["kernel"] for step in json_of("show", LLAMA, "--cache", cache)["steps"] if step.get("measured")]
               for cache in (CACHE, OTHER)]
    assert decided[0] and decided[0] == decided[1]


def test_packs_are_compared():
    whole, part = SCRATCH / "whole.pack", SCRATCH / "part.pack"
    same = json_of("store", "diff", whole, CACHE)
    assert same["problems"] == [] and same["counts"]["same"] > 1
    less = json_of("store", "diff", whole, part)
    assert less["counts"]["only in A"] == len(less["problems"]) > 0
    assert all(row["problem"].startswith("rmsnorm(") and row["b"] is None for row in less["problems"])
    anew = SCRATCH / "anew"
    json_of("tune", LLAMA, "--cache", anew, "--op", "linear", "--effort", 1, "--seed", 5)
    other = json_of("store", "diff", CACHE, anew, "--op", "linear")
    assert sum(other["counts"].values()) == same["counts"]["same"] - less["counts"]["only in A"]
    for row in other["problems"]:
        assert row["differs"] in ("times", "choices") and row["ratio"] > 0
        assert (row["a"]["candidate"] == row["b"]["candidate"]) == (row["differs"] == "times")


def test_decisions_are_measured_again():
    done = subprocess.run([HONE, "store", "verify", "--cache", str(CACHE), "--limit", "3", "--json"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 6), done.stderr  # 6: another load than a minute ago
    report = json.loads(done.stdout)
    assert report["measured"] == 3 <= report["decisions"] and report["failed"] == 0
    assert (done.returncode == 6) == (report["drifted"] > 0)
    for row in report["problems"]:
        assert row["then_seconds"] > 0 and row["now_seconds"] > 0 and row["now_spread_seconds"] >= 0
        assert abs(row["now_seconds"] / row["then_seconds"] - 1 - row["drift"]) < 1e-3 * (1 + abs(row["drift"]))
    hone("store", "verify", "--cache", SCRATCH / "empty", status=1)


def test_wrong_uses_are_refused():
    whole, text = SCRATCH / "whole.pack", SCRATCH / "text.pack"
    text.write_text("no pack")
    assert "no pack" in hone("store", "import", text, "--cache", OTHER, status=3).stderr
    assert "no such file" in hone("store", "import", SCRATCH / "nothing", "--cache", OTHER, status=3).stderr
    hone("store", "merge", whole, "-o", SCRATCH / "c.pack", status=2)
    hone("store", "merge", whole, whole, status=2)
    torn = SCRATCH / "torn.pack"
    torn.write_bytes(whole.read_bytes()[:-4096])
    hone("store", "import", torn, "--cache", OTHER, status=3)


def main():
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    for name, function in list(globals().items()):
        if name.startswith("test_"):
            function()
            print("ok     ", name[5:], flush=True)


main()
