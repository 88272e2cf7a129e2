"""What tests of the command share: running it, and running the tests of a script.

A script is called with HONE SOURCE_FOLDER SCRATCH_FOLDER [NAME ...]; its tests are its functions test_NAME.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

HONE, SOURCE, SCRATCH = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
VECTORS = SOURCE / "tests/oracle/vectors/models"
LLAMA = VECTORS / "llama/llama-f32.gguf"
MIXTRAL = VECTORS / "mixtral/mixtral-q8_0.gguf"
DEMO = SOURCE / "models/demo/demo-moe.gguf"
GREEDY = ("--tokens", 12, "--temperature", 0)


def hone(*words, status=0, env=None, stdin=None, timeout=120, cwd=None):
    """Runs hone and checks its exit status; gives (stdout, stderr)."""
    environment = dict(os.environ, XDG_CACHE_HOME=str(SCRATCH / "cache"), XDG_CONFIG_HOME=str(SCRATCH / "config"))
    environment.update(env or {})
    done = subprocess.run([str(HONE), *map(str, words)], capture_output=True, env=environment, timeout=timeout,
                          input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, cwd=cwd)
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    shown = " ".join(map(str, words))
    assert done.returncode == status, f"hone {shown}: exit {done.returncode}, expected {status}\n{out}\n{err}"
    if status not in (0, 130):
        lines = err.splitlines()  # a slow run may have told its progress before
        told = [line for line in lines if line.startswith("hone: ")]
        assert told == lines[-1:], f"hone {shown}: not one clear error: {err!r}"
        assert out == "", f"hone {shown}: data before an error: {out!r}"
    return out, err


def json_of(*words, **options):
    out, _ = hone(*words, "--json", **options)
    return json.loads(out)


def greedy(model, *words):
    """Of LLAMA in f32, where kernels hardly differ, or of a trained model, which is sure of its tokens: the random models
    of other types have near ties, which the rounding of one kernel or another decides."""
    prompt = ("-p", "Once upon a time") if model == DEMO else ("--token-ids", "1,2,3,4,5")
    return json_of("run", model, *prompt, *GREEDY, *words)["tokens"]


def run_tests(script):
    """`script`: globals() of the script.  Ends the process."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    chosen = sys.argv[4:]
    tests = {name[5:]: function for name, function in script.items() if name.startswith("test_")}
    failed = 0
    for name, function in tests.items():
        if chosen and name not in chosen:
            continue
        start = time.monotonic()
        try:
            function()
            print(f"ok      {name} ({time.monotonic() - start:.1f} s)", flush=True)
        except Exception as error:  # every kind of failure is a failed test
            failed += 1
            print(f"FAILED  {name}: {type(error).__name__}: {error}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    sys.exit(failed > 0)
