"""llama.cpp measured through its C interface: rates of a model file, or the logits of a list of tokens.

usage: rival_llama.py rates MODEL --threads N [--prompt 512] [--generate 64] [--sequences 1] [--flash off|on]
       rival_llama.py logits MODEL --threads N --token-ids 1,15,27 --out FILE.npy [--step 512] [--flash off|on]

Run by the Python that install_llama prints; one JSON document on standard output. Rates are taken as Hone's `bench` takes
them: a warm-up that does not count and touches every weight, then the prompt in batches of 512 with logits of its last
token only, then one token at a time; times are around llama_decode, no Python of the package's in between.
"""
import argparse
import ctypes
import json
import random
import re
import time

import llama_cpp as llama

BATCH_TOKENS = 512
WARM_TOKENS = 32  # enough to go through the kernels of long batches
FLASH = {"off": 0, "on": 1}


class Log:
    """What the library says while it loads: which buffers it lays the weights out in."""

    def __init__(self):
        self.text = ""
        self.callback = llama.llama_log_callback(self.add)
        llama.llama_log_set(self.callback, None)

    def add(self, level, text, data):
        self.text += text.decode(errors="replace")

    def errors(self):
        return " ".join(line for line in self.text.splitlines() if "error" in line or "failed" in line)

    def buffers(self):
        """{"CPU_REPACK": MiB, ...} of the model's weights."""
        return {name: float(size) for name, size in re.findall(r"(\S+) model buffer size\s*=\s*([0-9.]+) MiB", self.text)}


class Session:
    def __init__(self, path, threads, context_tokens, sequences, flash, log):
        start = time.perf_counter()
        self.model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"{path}: llama.cpp cannot load it: {log.errors()}")
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = context_tokens * sequences
        parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
        parameters.n_seq_max = sequences
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.flash_attn_type = FLASH[flash]
        self.context = llama.llama_init_from_model(self.model, parameters)
        if not self.context:
            raise SystemExit(f"{path}: llama.cpp cannot make a context of {parameters.n_ctx} tokens")
        llama.llama_synchronize(self.context)
        self.load_seconds = time.perf_counter() - start
        self.vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        self.batch = llama.llama_batch_init(BATCH_TOKENS, 0, 1)

    def decode(self, rows):
        """rows: (token, position, sequence, whether its logits are wanted), at most BATCH_TOKENS."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for index, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[index], batch.pos[index], batch.logits[index] = token, position, wanted
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
        code = llama.llama_decode(self.context, batch)
        if code != 0:
            raise SystemExit(f"llama_decode failed with {code}")
        llama.llama_synchronize(self.context)

    def forget(self):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)


def status_bytes(field):
    """VmHWM or VmRSS of this process."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field + ":"))


def time_phases(session, tokens, generate, sequences):
    """Seconds of the prompts of all sequences, and of `generate` steps with one token of each."""
    rows = [(token, position, sequence, position == len(tokens) - 1)
            for sequence in range(sequences) for position, token in enumerate(tokens)]
    start = time.perf_counter()
    for first in range(0, len(rows), BATCH_TOKENS):
        session.decode(rows[first:first + BATCH_TOKENS])
    prompt = time.perf_counter() - start
    start = time.perf_counter()
    for step in range(generate):
        session.decode([(tokens[0], len(tokens) + step, sequence, True) for sequence in range(sequences)])
        llama.llama_get_logits_ith(session.context, -1)
    return prompt, time.perf_counter() - start


def rates(options, log):
    before = status_bytes("VmRSS")
    session = Session(options.model, options.threads, options.prompt + options.generate, options.sequences, options.flash,
                      log)
    numbers = random.Random(1)
    tokens = [numbers.randrange(session.vocabulary) for _ in range(options.prompt)]
    time_phases(session, tokens[:WARM_TOKENS], 1, options.sequences)
    session.forget()
    prompt, generation = time_phases(session, tokens, options.generate, options.sequences)
    return {"prefill_tokens_per_second": options.prompt * options.sequences / prompt,
            "decode_tokens_per_second": options.generate * options.sequences / generation,
            "load_seconds": session.load_seconds, "peak_memory_bytes": status_bytes("VmHWM"), "memory_before_bytes": before,
            "buffers_mib": log.buffers(), "system": llama.llama_print_system_info().decode().strip(),
            "version": llama.llama_version().decode()}


def write_npy(path, rows, columns, values):
    """A NumPy file of float32 [rows, columns]."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}".ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        for row in values:
            file.write(row)


def logits(options, log):
    ids = [int(word) for word in options.token_ids.split(",")]
    session = Session(options.model, options.threads, len(ids), 1, options.flash, log)
    written = []
    for first in range(0, len(ids), options.step):
        part = ids[first:first + options.step]
        session.decode([(token, first + index, 0, True) for index, token in enumerate(part)])
        floats = session.vocabulary * len(part)
        written.append(ctypes.string_at(llama.llama_get_logits(session.context), 4 * floats))
    write_npy(options.out, len(ids), session.vocabulary, written)
    return {"positions": len(ids), "system": llama.llama_print_system_info().decode().strip()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("rates", "logits"))
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--sequences", type=int, default=1)
    parser.add_argument("--flash", choices=tuple(FLASH), default="on")
    parser.add_argument("--token-ids")
    parser.add_argument("--out")
    parser.add_argument("--step", type=int, default=BATCH_TOKENS)
    options = parser.parse_args()
    log = Log()
    llama.llama_backend_init()
    print(json.dumps((rates if options.what == "rates" else logits)(options, log)))


main()
