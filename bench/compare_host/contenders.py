"""The programs that are compared, each a command that prints one JSON document."""
import json
import os
import pathlib
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
THREADS = len(os.sched_getaffinity(0))
HONE_CPU = {"native": (), "avx512-vnni": ("--cpu", "cascadelake"), "x86-64-v3": ("--cpu", "x86-64-v3")}


class Failed(Exception):
    """A contender that did not do its work: the message has its last words."""


def processor_seconds():
    """Of all processors so far: busy with anything, stolen by the host's other machines included; and with our children."""
    ticks = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _, _, irq, softirq, steal = ticks
    own = os.times()
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK"), own.children_user + own.children_system


def run_alone(words):
    """Its JSON document, with `foreign_share`: how much of the processors others took meanwhile."""
    start, (busy, own) = time.monotonic(), processor_seconds()
    told = run_json(words)
    seconds, (busy_after, own_after) = time.monotonic() - start, processor_seconds()
    foreign = (busy_after - busy) - (own_after - own)
    return {**told, "foreign_share": max(0.0, foreign / seconds / os.cpu_count())}


def run_json(words):
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode == -signal.SIGILL:
        raise Failed(f"{words[0]}: an instruction that this processor does not have, or a miscompiled AMX configuration")
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}: status {done.returncode}: {done.stderr.strip()[-600:]}")
    return json.loads(done.stdout)


class Hone:
    name = "hone"

    def __init__(self, program, family, records):
        self.program = program
        self.options = [*HONE_CPU[family], "--threads", THREADS, "--cache", records]

    def tune_command(self, model, prompt, generate, sequences, budget):
        return [self.program, "tune", model, "--budget", budget, "--context", prompt + generate, "--sequences", sequences,
                *self.options, "--json", "--quiet"]

    def rates_command(self, model, prompt, generate, sequences, settings):
        return [self.program, "bench", model, "--prompt", prompt, "--generate", generate, "--sequences", sequences, "--repeat", 1,
                *self.options, "--json", "--quiet"]

    def rates(self, *arguments):
        told = run_alone(self.rates_command(*arguments))
        return {**told, "model": pathlib.Path(told["model"]).name}  # results do not say where the user keeps files

    def logits(self, model, ids, out, *options):
        return run_json([self.program, "run", model, "--token-ids", ",".join(map(str, ids)), "--tokens", 0, "--context",
                         len(ids) + 1, "--logits", out, *options, *self.options, "--json", "--quiet"])


class LlamaCpp:
    name = "llama.cpp"

    def __init__(self, python):
        self.python = python
        self.built = json.loads((pathlib.Path(python).parent.parent / "built.json").read_text())

    def command(self, what, model, *options):
        return [self.python, "-B", HERE / "rival_llama.py", what, model, "--threads", THREADS, *options]

    def rates_command(self, model, prompt, generate, sequences, settings):
        return self.command("rates", model, "--prompt", prompt, "--generate", generate, "--sequences", sequences, "--flash",
                            settings["flash"])

    def rates(self, *arguments):
        return run_alone(self.rates_command(*arguments))

    def logits(self, model, ids, out, *options):
        return run_json(self.command("logits", model, "--token-ids", ",".join(map(str, ids)), "--out", out, *options))


class Other:
    """A rival beyond llama.cpp; it knows some of the files, and one sequence only."""
    KNOWN = {"openvino": (("tinyllama-1.1b", "qwen2.5-0.5b"), ("q8_0", "q4_0", "q4_K_M")),
             "torch": (("tinyllama-1.1b",), ("bf16",))}

    def __init__(self, name, python):
        self.name, self.python = name, python

    def takes(self, row):
        presets, types = self.KNOWN[self.name]
        return row.preset in presets and row.type in types and row.sequences == (1,)

    def rates_command(self, model, prompt, generate, sequences, settings):
        return [self.python, "-B", HERE / f"rival_{self.name}.py", "rates", model, "--threads", THREADS, "--prompt", prompt,
                "--generate", generate]

    def rates(self, *arguments):
        return run_alone(self.rates_command(*arguments))


def install_others(names, cache):
    """Those that install; the others have said on standard error why they are left out."""
    found = []
    for name in names:
        done = subprocess.run([HERE / "install_others", cache, name], stdout=subprocess.PIPE, text=True)
        if done.returncode == 0:
            found.append(Other(name, done.stdout.strip()))
    return found


def machine():
    """What a result must say of the computer."""
    facts = pathlib.Path("/proc/cpuinfo").read_text()
    field = dict((name.strip(), value.strip()) for name, _, value in
                 (row.partition(":") for row in facts.split("\n\n")[0].splitlines()))
    flags = set(field.get("flags", "").split())
    known = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16")
    return {"processor": field.get("model name", os.uname().machine), "family": field.get("cpu family"),
            "model": field.get("model"), "cores": THREADS, "instructions": [name for name in known if name in flags],
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "kernel": os.uname().release}
