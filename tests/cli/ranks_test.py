"""mpirun -n R hone run: with two and four ranks the logits are bit for bit those of one device, text is the same, errors are
told once with their exit status, a rank that is killed ends the run at once, and one that hangs within the watchdog's bound.

usage: ranks_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER          exits 77 where Open MPI is not installed
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

HONE, SOURCE, SCRATCH = (pathlib.Path(word) for word in sys.argv[1:4])
DEMO = SOURCE / "models/demo"
MODELS = (DEMO / "demo-dense.gguf", DEMO / "demo-moe.gguf", SOURCE / "tests/oracle/vectors/architectures/deepseek_v2/deepseek_v2.gguf")
PROMPT = ("--token-ids", "1,15,27,33,8,9")
COMMON = ("--deterministic", "--references", "--context", 64, "--threads", 1, "--cache", SCRATCH / "cache")
# The library keeps what it allocates; root must say that it is meant; more ranks than processors take turns.
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", ASAN_OPTIONS="detect_leaks=0",
                   OMPI_MCA_mpi_yield_when_idle="1", XDG_CONFIG_HOME=str(SCRATCH / "config"))


def words_of(ranks, *words):
    launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks else []
    return [*launcher, str(HONE), *map(str, words)]


def hone(ranks, *words, status=0):
    done = subprocess.run(words_of(ranks, *words), capture_output=True, env=ENVIRONMENT, timeout=120)
    assert done.returncode == status, f"{ranks} ranks, {words}: exit {done.returncode}: {done.stderr.decode()}"
    return done.stderr.decode() if status else done.stdout.decode()


def check_logits(model):
    """By layers and by tensors."""
    one, many = SCRATCH / "one.npy", SCRATCH / "many.npy"
    hone(0, "run", model, *PROMPT, *COMMON, "--tokens", 0, "--devices", "cpu", "--logits", one)
    for ranks, split in ((2, "layers"), (2, "tensor"), (4, "layers")):
        many.unlink(missing_ok=True)
        hone(ranks, "run", model, *PROMPT, *COMMON, "--tokens", 0, "--devices", "virtual:64MiB", "--split", split,
             "--logits", many)
        assert one.read_bytes() == many.read_bytes(), f"{model}: {ranks} ranks by {split} give other logits"


def check_text(model):
    greedy = ("run", model, *PROMPT, *COMMON, "--tokens", 6, "--temperature", 0, "--json")
    alone, together = (json.loads(hone(ranks, *greedy)) for ranks in (0, 2))
    assert alone["tokens"] == together["tokens"], (alone["tokens"], together["tokens"])


def check_errors(model):
    error = hone(2, "run", SCRATCH / "nothing.gguf", *PROMPT, *COMMON, status=3)
    assert error.count("hone: ") == 1 and "nothing.gguf" in error, error
    error = hone(2, "run", model, *PROMPT, *COMMON, "--devices", "virtual:64KiB", status=5)
    assert error.count("hone: ") == 1 and "rank:1" in error, error
    assert "mpirun" in hone(0, "run", model, *PROMPT, *COMMON, "--devices", "cpu,rank:1", status=2)


def check_damage(model):
    """A bit of a message flips on its way; only builds with HONE_FAULTS do that."""
    words = words_of(2, "run", model, *PROMPT, *COMMON, "--tokens", 0, "--devices", "virtual:64MiB")
    done = subprocess.run(words, capture_output=True, env=dict(ENVIRONMENT, HONE_FLIP_COPY="30"), timeout=120)
    error = done.stderr.decode()
    assert done.returncode == 0 or (done.returncode == 4 and "arrived damaged" in error and error.count("hone: ") == 1), error


def rank_of(process):
    """The rank of a process of ours, from its environment."""
    try:
        entries = (pathlib.Path("/proc") / process / "environ").read_bytes().split(b"\0")
        name = os.readlink(f"/proc/{process}/exe")
    except OSError:
        return None
    numbers = [entry.split(b"=")[1] for entry in entries if entry.startswith(b"OMPI_COMM_WORLD_RANK=")]
    mine = any(entry == f"HONE_RANKS_TEST={os.getpid()}".encode() for entry in entries)
    return int(numbers[0]) if numbers and mine and name == str(HONE.resolve()) else None


def disturb(model, what, *words):
    """Sends the signal `what` to rank 1 of two that are at work: exit status and words of the run, and its seconds from there."""
    slow = ("run", model, "--token-ids", "1,15", "--tokens", 4000, "--context", 4096, "--ignore-end", *COMMON[:2], "--threads",
            1, "--devices", "virtual:640MiB@5MFLOPS,1GB/s", "--quiet", *words)
    environment = dict(ENVIRONMENT, HONE_RANKS_TEST=str(os.getpid()))
    running = subprocess.Popen(words_of(2, *slow), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    victims = []
    for _ in range(200):
        victims = [int(name) for name in os.listdir("/proc") if name.isdigit() and rank_of(name) == 1]
        if victims:
            break
        time.sleep(0.05)
    assert len(victims) == 1, victims
    time.sleep(1)
    assert running.poll() is None, running.communicate()[1].decode()
    os.kill(victims[0], what)
    started = time.monotonic()
    error = running.communicate(timeout=60)[1].decode()
    seconds = time.monotonic() - started
    assert not [name for name in os.listdir("/proc") if name.isdigit() and rank_of(name)], "a rank is left behind"
    return running.returncode, error, seconds


def check_kill(model):
    code, error, seconds = disturb(model, signal.SIGKILL)
    assert code not in (0, None) and "rank 1" in error and seconds < 30, (code, error, seconds)


def check_hang(model):
    """A rank that does not answer, without dying."""
    code, error, seconds = disturb(model, signal.SIGSTOP, "--watchdog", "3s")
    assert code == 4 and error.count("hone: rank:1") == 1 and "nothing has moved for 3 s" in error, (code, error)
    assert 2 < seconds < 45, seconds


if not shutil.which("mpirun"):
    sys.exit(77)
SCRATCH.mkdir(parents=True, exist_ok=True)
for model in MODELS:
    check_logits(model)
check_text(MODELS[0])
check_errors(MODELS[0])
check_damage(MODELS[0])
check_kill(MODELS[0])
check_hang(MODELS[0])
