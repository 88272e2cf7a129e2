"""The winners of a run once more, under compute-sanitizer where it is installed.

On the stand-in card, which has checks of its own, the same requests run without it: the way is tried, not the kernels."""
import json
import os
import pathlib
import shutil
import subprocess
import time

TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
ERRORS_STATUS = 9
OPERATIONS_MOST = 2e10  # a winner's: under the tools kernels take a hundred times as long


def find_sanitizer():
    folder = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    return shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path=str(pathlib.Path(folder) / "bin"))


def choose_winners(described):
    """Numbers of problems, one for each operator and weight, the smallest first."""
    chosen, seen = [], set()
    for row in sorted(described, key=lambda row: row["operations"]):
        kind = (row["winner"].split(" ")[0], row["text"].split("(")[0])
        if row["winner"] and kind not in seen and row["operations"] <= OPERATIONS_MOST:
            seen.add(kind)
            chosen.append(row["problem"])
    return chosen


def run_tool(prefix, program, requests, seconds):
    start = time.monotonic()
    try:
        done = subprocess.run(prefix + program, input=requests, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"outcome": "out of time", "seconds": time.monotonic() - start}
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    wrong = [c["detail"] or c["status"] for answer in answers for c in answer.get("contestants", []) if c["status"] != "ok"]
    wrong += [answer["error"] for answer in answers if "error" in answer]
    notes = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR SUMMARY" in line or "hazard" in line]
    clean = done.returncode == 0 and not wrong
    return {"outcome": "clean" if clean else "errors", "status": done.returncode, "wrong": wrong, "notes": notes[-4:],
            "winners": sum("contestants" in answer for answer in answers), "seconds": time.monotonic() - start}


def sanitize(program, described, device, seconds):
    """`program`: the command of gpu_contest with its records and an effort of 0, which measures nothing."""
    requests = "".join(f"winner {index}\n" for index in choose_winners(described))
    if device.startswith("emulated"):
        return {"left_out": "the card is a stand-in", "dry": run_tool([], program, requests, seconds)}
    sanitizer = find_sanitizer()
    if not sanitizer:
        return {"left_out": "compute-sanitizer is not installed"}
    report, end = {}, time.monotonic() + seconds
    for tool in TOOLS:
        prefix = [sanitizer, "--tool", tool, "--error-exitcode", str(ERRORS_STATUS)]
        left = end - time.monotonic()
        report[tool] = run_tool(prefix, program, requests, left) if left > 1 else {"outcome": "out of time", "seconds": 0}
    return report


def failures(report):
    """Tools that found something, and a dry run that failed."""
    return [name for name, entry in report.items() if isinstance(entry, dict) and entry["outcome"] == "errors"]
