"""Planning, lowering and simulating a model of 671 billion parameters on 64 cards stays within a minute and 2 GiB.

usage: scale_plan_test.py SCALE_PLAN SOURCE_FOLDER
"""
import json
import pathlib
import subprocess
import sys

SECONDS_MOST = 60
BYTES_MOST = 2 << 30


def main():
    program, source = sys.argv[1:]
    machine = pathlib.Path(source) / "bench" / "placement" / "machines" / "eight-nodes.yaml"
    done = subprocess.run([program, "deepseek-v3", "q4_K", str(machine), "2048", "16"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    seconds = sum(answer[name] for name in ("planning_seconds", "lowering_seconds", "simulating_seconds"))
    assert answer["devices"] == 72 and answer["steps"] > 5000, answer
    assert seconds < SECONDS_MOST, answer
    assert answer["peak_bytes"] < BYTES_MOST, answer
    for phase in ("prefill", "decode"):
        planned, simulated = (answer[who][phase + "_tokens_per_second"] for who in ("planned", "simulated"))
        assert 0 < simulated < 1.2 * planned, answer


if __name__ == "__main__":
    main()
