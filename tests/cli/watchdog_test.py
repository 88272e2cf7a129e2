"""A copy over a virtual card's link that never completes: one error with what was waited for, exit status 4, within the bound.

usage: watchdog_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER          for builds with HONE_FAULTS
"""
import os
import pathlib
import subprocess
import sys
import time

HONE, SOURCE, SCRATCH = (pathlib.Path(word) for word in sys.argv[1:4])
BOUND, GRACE = 1, 3  # seconds: --watchdog, and what queues that were let go may take (runtime/watchdog.c)
RUN = ("run", SOURCE / "models/demo/demo-moe.gguf", "--token-ids", "1,15,27", "--tokens", 3, "--temperature", 0, "--references",
       "--context", 256, "--threads", 1, "--cache", "", "--quiet", "--watchdog", f"{BOUND}s")
CARDS = (("virtual:8MiB,cpu",), ("virtual:8MiB,virtual:8MiB",),
         ("virtual:8MiB,virtual:8MiB,cpu", "--split", "tensor", "--stream", "experts=1"))


def run_with_stall(copy, devices):
    """(exit status, standard error, seconds); a hung thread keeps what it uses."""
    environment = dict(os.environ, HONE_STALL_COPY=str(copy), ASAN_OPTIONS="detect_leaks=0", XDG_CONFIG_HOME=str(SCRATCH))
    started = time.monotonic()
    done = subprocess.run([str(HONE), *map(str, RUN), "--devices", *devices], capture_output=True, env=environment, timeout=100)
    return done.returncode, done.stderr.decode(), time.monotonic() - started


def check(copy, devices):
    status, error, seconds = run_with_stall(copy, devices)
    assert status == 4 and error.count("hone: ") == 1, (copy, devices, status, error)
    assert "over the link, has not ended" in error and f"nothing has moved for {BOUND} s" in error, error
    assert BOUND <= seconds < BOUND + GRACE + 20, seconds  # the rest: loading, on a busy machine


SCRATCH.mkdir(parents=True, exist_ok=True)
assert run_with_stall(0, CARDS[0])[0] == 0
for copy, devices in ((1, CARDS[0]), (12, CARDS[1]), (40, CARDS[2])):
    check(copy, devices)
