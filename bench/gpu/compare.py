"""Measure tuned kernels beside what people use, in one run and interleaved, and write one JSON document and one table.

    compare.py --program gpu_contest --device cuda:0 --folder WORK --result FOLDER [--small] [--seconds N] [--rounds N]

Each round takes one sample of every contestant (bench/gpu/contestants.h) and of PyTorch's functions where torch is installed,
one after the other, so that a card that slows down slows all. Shares are of what copies within the card reached in the same run.
"""
import argparse
import datetime
import json
import math
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys

from sanitize import failures, sanitize

# Rows, columns (K), outputs (N) of linear layers of llama-3-8b, mistral-7b, qwen2.5-7b and qwen3-30b-a3b at prompts of 256 to 4096 tokens.
TRANSFORMER_SHAPES = [
    (256, 4096, 4096), (512, 4096, 4096), (2048, 4096, 4096), (4096, 4096, 4096), (512, 4096, 6144),
    (2048, 4096, 6144), (512, 4096, 14336), (1024, 4096, 14336), (2048, 4096, 14336), (4096, 4096, 14336),
    (512, 14336, 4096), (1024, 14336, 4096), (2048, 14336, 4096), (512, 3584, 4608), (2048, 3584, 18944),
    (2048, 18944, 3584), (1024, 2048, 4096), (2048, 4096, 2048), (512, 8192, 8192), (1024, 8192, 28672),
]
CUBES = [4096, 8192]
FUSED_SHAPE = (2048, 4096, 14336)  # one of the above, whose linear is measured beside it
DECODE_CONTEXT = 32768
PREFILL_TOKENS = 2048
DEADLINE_SECONDS = 1800  # no answer takes longer than tuning and making operands


def linear(rows, columns, outputs, weight):
    return f"linear(f32[rows,{columns}], {weight}[{outputs},{columns}], _, _) -> f32[rows,{outputs}] rows<={rows}"


def gated(rows, columns, outputs, weight):
    return (f"linear_gated(f32[rows,{columns}], {weight}[{outputs},{columns}], {weight}[{outputs},{columns}]) -> "
            f"f32[rows,{outputs}] {{activation=silu}} rows<={rows}")


def gate(rows, columns):
    return f"gate(f32[rows,{columns}], f32[rows,{columns}]) -> f32[rows,{columns}] {{activation=silu}} rows<={rows}"


def list_fused(rows, columns, outputs):
    """Gate and up projection in one kernel, and what does the same in three steps: two linears of that shape and this."""
    yield {"name": f"gated {rows}x{columns}x{outputs}", "kind": "gated", "text": gated(rows, columns, outputs, "bf16")}
    yield {"name": f"gate {rows}x{outputs}", "kind": "gate", "text": gate(rows, outputs)}


def attention(rows, context, heads, kv_heads, size, page):
    state = f"f16[pages,{page},{kv_heads * size}]"
    return (f"attention(f32[rows,{heads * size}], i32[rows], i32[rows], i32[sequences,stride], {state}, {state}, _) -> "
            f"f32[rows,{heads * size}] {{heads={heads} kv_heads={kv_heads} head_size={size} value_size=0 scale=0 window=0 softcap=0}} "
            f"rows<={rows} context<={context}")


def list_problems(small):
    """Dictionaries with a name, a kind, the problem's text and, for torch, its sizes."""
    if small:
        yield {"name": "dense 40x64x48", "kind": "transformer", "text": linear(40, 64, 48, "bf16"), "shape": (40, 64, 48)}
        yield from list_fused(40, 64, 48)
        yield {"name": "cube 64", "kind": "cube", "text": linear(64, 64, 64, "f16"), "shape": (64, 64, 64)}
        yield {"name": "few rows q8_0 x1", "kind": "few", "text": linear(1, 64, 96, "q8_0")}
        yield {"name": "decode attention", "kind": "decode", "text": attention(1, 64, 4, 2, 32, 16), "attention": (1, 64, 4, 2, 32)}
        return
    for size in CUBES:
        yield {"name": f"cube {size}", "kind": "cube", "text": linear(size, size, size, "bf16"), "shape": (size, size, size)}
    for shape in TRANSFORMER_SHAPES:
        yield {"name": "dense {}x{}x{}".format(*shape), "kind": "transformer", "text": linear(*shape, "bf16"), "shape": shape}
    yield from list_fused(*FUSED_SHAPE)
    for weight in ("q8_0", "q4_0"):
        for rows in (1, 8):
            yield {"name": f"few rows {weight} x{rows}", "kind": "few", "text": linear(rows, 4096, 14336, weight)}
    yield {"name": "decode attention 32k", "kind": "decode", "text": attention(1, DECODE_CONTEXT, 32, 8, 128, 16),
           "attention": (1, DECODE_CONTEXT, 32, 8, 128)}
    yield {"name": "prefill attention 2k", "kind": "prefill", "text": attention(PREFILL_TOKENS, PREFILL_TOKENS, 32, 8, 128, 16),
           "attention": (PREFILL_TOKENS, PREFILL_TOKENS, 32, 8, 128)}


class Contest:
    """The program that tunes and measures: requests on its input, answers on its output."""

    def __init__(self, options, problems):
        folder = pathlib.Path(options.folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "problems.txt"
        path.write_text("".join(problem["text"] + "\n" for problem in problems))
        self.command = [options.program, options.device, str(folder), str(options.effort), str(options.seconds), str(path)]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.device = self.read()
        self.problems = [self.read() for _ in problems]
        self.tuning = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            print(f"{self.command[0]} ended with status {status}", file=sys.stderr)
            sys.exit(status or 1)
        return json.loads(line)

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        return self.process.wait(timeout=DEADLINE_SECONDS)


class Torch:
    """PyTorch's functions for the same problems, timed by the card's events; absent where torch or a card is."""

    def __init__(self, wanted):
        self.torch, self.reason = None, None
        try:
            import torch  # pylint: disable=import-outside-toplevel
        except ImportError as error:
            self.reason = str(error)
            return
        if not wanted:
            self.reason = "the card is a stand-in"
        elif not torch.cuda.is_available():
            self.reason = "torch sees no card"
        else:
            self.torch = torch

    def functions(self, problem):
        if not self.torch:
            return {}
        if "shape" in problem:
            return self.matmul(problem)
        return self.sdpa(*problem["attention"]) if "attention" in problem else {}

    def matmul(self, problem):
        torch, (rows, columns, outputs) = self.torch, problem["shape"]
        x = torch.randn(rows, columns, device="cuda", dtype=torch.bfloat16)
        w = torch.randn(outputs, columns, device="cuda", dtype=torch.bfloat16)
        functions = {"torch.mm (bf16 out)": lambda: torch.mm(x, w.t())}
        if problem["kind"] == "cube":
            compiled = torch.compile(lambda a, b: torch.mm(a, b.t()), mode="max-autotune-no-cudagraphs")
            functions["torch.compile (bf16 out)"] = lambda: compiled(x, w)
            try:
                from triton_matmul import matmul  # pylint: disable=import-outside-toplevel
                functions["Triton (bf16 out)"] = matmul(x, w)
            except ImportError as error:
                self.reason = str(error)
        return functions

    def sdpa(self, rows, context, heads, kv_heads, size):
        torch = self.torch
        from torch.nn.attention import SDPBackend, sdpa_kernel  # pylint: disable=import-outside-toplevel
        make = lambda count, tokens: torch.randn(1, count, tokens, size, device="cuda", dtype=torch.float16)
        q, k, v = make(heads, rows), make(kv_heads, context), make(kv_heads, context)

        def run(backend):
            with sdpa_kernel(backend):
                return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=rows > 1, enable_gqa=True)
        backends = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION,
                    "efficient": SDPBackend.EFFICIENT_ATTENTION, "math": SDPBackend.MATH}
        return {f"torch SDPA {name}": lambda backend=backend: run(backend) for name, backend in backends.items()}

    def prepare(self, functions):
        """Runs each twice; what cannot do the problem is left out, with its reason."""
        good, refused = {}, {}
        for name, function in functions.items():
            try:
                function()
                seconds = self.time(function, 1)
                good[name] = (function, max(1, min(200, math.ceil(2e-3 / max(seconds, 1e-7)))))
            except Exception as error:  # pylint: disable=broad-except
                refused[name] = str(error).splitlines()[0][:200]
        return good, refused

    def time(self, function, runs):
        start, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(runs):
            function()
        end.record()
        self.torch.cuda.synchronize()
        return start.elapsed_time(end) * 1e-3 / runs


def measure(contest, torch, index, problem, rounds):
    """One problem: the medians of all contestants, with what they are."""
    opened = contest.ask(f"open {index}")
    if "error" in opened:
        return {"error": opened["error"]}
    names = [f"{c['candidate']}" for c in opened["contestants"]]
    samples = {name: [] for name in names}
    others, refused = torch.prepare(torch.functions(problem)) if torch.torch else ({}, {})
    other_samples = {name: [] for name in others}
    for _ in range(rounds):
        answer = contest.ask("round")
        if "error" in answer:
            return {"error": answer["error"]}
        for name, seconds in zip(names, answer["seconds"]):
            if seconds > 0:
                samples[name].append(seconds)
        for name, (function, runs) in others.items():
            other_samples[name].append(torch.time(function, runs))
    contestants = []
    for contestant in opened["contestants"]:
        own = samples[contestant["candidate"]]
        entry = dict(contestant, seconds=statistics.median(own) if own else None, samples=own)
        contestants.append(entry)
    return {"contestants": contestants, "refused": refused,
            "others": {name: {"seconds": statistics.median(own), "samples": own} for name, own in other_samples.items()}}


def time_of(result, role):
    """The least median of a role's contestants, or None."""
    times = [c["seconds"] for c in result.get("contestants", []) if role in c["roles"] and c["seconds"]]
    return min(times, default=None)


def quotient(a, b):
    return a / b if a and b else None


def evaluate(problem, described, result, copy):
    """Ratios above 1 are in favour of Hone."""
    tuned, own = time_of(result, "tuned"), time_of(result, "own")
    library = time_of(result, "library")
    others = [other["seconds"] for other in result.get("others", {}).values()]
    measures = {
        "tuned_seconds": tuned, "default_seconds": time_of(result, "default"), "own_seconds": own,
        "library_first_seconds": time_of(result, "library_first"), "library_seconds": library,
        "others_seconds": min(others, default=None),
        "tuned_flops": quotient(described["operations"], tuned),
        "tuned_bandwidth_share": quotient(quotient(described["bytes"], tuned), copy),
        "own_to_library": quotient(library, own),
        "tuned_to_library_first": quotient(time_of(result, "library_first"), tuned),
        "tuned_to_default": quotient(time_of(result, "default"), tuned),
        "tuned_to_others": quotient(min(others, default=None), tuned),
    }
    return dict(problem, winner=described["winner"], measures=measures, **result)


def geometric_mean(values):
    values = [value for value in values if value]
    return math.exp(statistics.fmean(math.log(value) for value in values)) if values else None


def compare_fused(rows):
    """What gate and up take by the library's best algorithm, with the kernel that joins them, over the fused kernel's time."""
    def first(kind, measure, name=None):
        return next((row["measures"][measure] for row in rows
                     if row["kind"] == kind and "measures" in row and name in (None, row["name"])), None)
    shape = next((row["name"].split(" ")[1] for row in rows if row["kind"] == "gated"), "")
    library, join = first("transformer", "library_seconds", f"dense {shape}"), first("gate", "tuned_seconds")
    return quotient(2 * library + join, first("gated", "tuned_seconds")) if library and join else None


def summarise(rows):
    """What the run shows, against what it must."""
    def of(kind, measure):
        return [row["measures"][measure] for row in rows if row["kind"] == kind and "measures" in row]
    return {
        "own bf16 linear of cubes, to cuBLASLt's best (0.97)": min((v for v in of("cube", "own_to_library") if v), default=None),
        "tuned, to cuBLASLt's first, mean of transformer shapes (1.0)": geometric_mean(of("transformer", "tuned_to_library_first")),
        "gate and up in one kernel, to cuBLASLt's best and a kernel that joins (1.05)": compare_fused(rows),
        "few rows, least share of copy bandwidth (0.85 at 1 row, 0.75 at 8)":
            min((v for v in of("few", "tuned_bandwidth_share") if v), default=None),
        "decode attention, share of copy bandwidth (0.85)": min((v for v in of("decode", "tuned_bandwidth_share") if v), default=None),
        "prefill attention, to the best of torch (0.9)": min((v for v in of("prefill", "tuned_to_others") if v), default=None),
        "tuned, to the default, least (0.99)":
            min((row["measures"]["tuned_to_default"] for row in rows if row.get("measures", {}).get("tuned_to_default")), default=None),
    }


def ask_card():
    """Name, driver, clocks and power limit, by nvidia-smi; {} without one."""
    fields = ["name", "driver_version", "clocks.sm", "clocks.max.sm", "clocks.mem", "power.limit", "temperature.gpu"]
    try:
        answer = subprocess.run(["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"],
                                capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return {}
    return dict(zip(fields, (value.strip() for value in answer.split(","))))


def commit_of(root):
    answer = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def microseconds(seconds):
    return f"{seconds * 1e6:11.1f}" if seconds else f"{'-':>11}"


def ratio(value):
    return f"{value:7.2f}" if value else f"{'-':>7}"


def make_table(report):
    card = report["card"]
    lines = [f"{report['device']['device']}, {report['device']['class']}, {report['device']['compiler']}, commit {report['commit']}",
             ", ".join(f"{name} {value}" for name, value in card.items()) or "no nvidia-smi", f"times are {report['times']}",
             f"{report['command']}", f"copies within the card: {report['copy_bytes_per_second'] / 1e9:.1f} GB/s read and written",
             "", f"{'microseconds':26}{'tuned':>11}{'default':>11}{'own':>11}{'lib first':>11}{'lib best':>11}{'others':>11}"
             f"{'TFLOP/s':>9}{'copy':>7}{'own/lib':>8}  winner"]
    for row in report["problems"]:
        if "error" in row:
            lines.append(f"{row['name']:26}{row['error']}")
            continue
        m = row["measures"]
        times = "".join(microseconds(m[key + "_seconds"]) for key in ("tuned", "default", "own", "library_first", "library", "others"))
        lines.append(f"{row['name']:26}{times}{(m['tuned_flops'] or 0) / 1e12:9.2f}{ratio(m['tuned_bandwidth_share'])}"
                     f"{ratio(m['own_to_library']):>8}  {row['winner']}")
    lines += ["", "compute-sanitizer: " + tell_sanitizer(report["sanitizer"]), "", "what it shows (what it must)"]
    lines += [f"  {ratio(value)}  {name}" for name, value in report["summary"].items()]
    return "\n".join(lines) + "\n"


def tell_sanitizer(report):
    if "left_out" in report:
        return f"left out, {report['left_out']}"
    return ", ".join(f"{tool} {entry['outcome']}" for tool, entry in report.items())


def check_list(options):
    """Nothing is measured: the problems of a card's run are read, and their candidates are chosen by estimates."""
    options.effort = 0
    problems = list(list_problems(False))
    contest = Contest(options, problems)
    missing = [problem["name"] for problem, row in zip(problems, contest.problems) if row["winner"] in ("", "reference")]
    print(f"{len(problems)} problems, without a candidate: {', '.join(missing) or 'none'}")
    return contest.close() or len(missing)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--result", required=True)
    parser.add_argument("--command", default=shlex.join(sys.argv))
    parser.add_argument("--suite", help="a JSON file with the outcome of the correctness suite")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--list", action="store_true", help="only look whether every problem of a card's run has a candidate")
    parser.add_argument("--effort", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sanitizer-seconds", type=float, default=90)
    options = parser.parse_args()
    if options.list:
        sys.exit(check_list(options))
    problems = list(list_problems(options.small))
    contest = Contest(options, problems)
    torch = Torch(not options.device.startswith("emulated"))
    before = contest.ask("copy")
    rows = []
    for index, problem in enumerate(problems):
        print(f"measuring {problem['name']}", file=sys.stderr)
        result = measure(contest, torch, index, problem, options.rounds)
        if "error" in result:
            rows.append(dict(problem, **result))
        else:
            rows.append(evaluate(problem, contest.problems[index], result, before.get("copy_bytes_per_second")))
    after = contest.ask("copy")
    status = contest.close()
    again = [*contest.command[:3], "0", "0", contest.command[5]]
    sanitizer = sanitize(again, contest.problems, options.device, options.sanitizer_seconds)
    emulated = options.device.startswith("emulated")
    root = pathlib.Path(__file__).resolve().parents[2]
    report = {"date": datetime.date.today().isoformat(), "machine": platform.node(), "command": options.command,
              "commit": commit_of(root), "device": contest.device, "card": ask_card(), "tuning": contest.tuning,
              "copy": [before, after], "copy_bytes_per_second": before.get("copy_bytes_per_second", 0),
              "torch": getattr(torch.torch, "__version__", None), "torch_left_out": torch.reason,
              "sanitizer": sanitizer, "times": "modelled by the stand-in" if emulated else "measured",
              "suite": json.loads(pathlib.Path(options.suite).read_text()) if options.suite else None,
              "problems": rows, "summary": summarise(rows)}
    del report["machine"]
    name = f"gpu-{contest.device['class']}-{report['date']}"
    folder = pathlib.Path(options.result)
    folder.mkdir(parents=True, exist_ok=True)
    table = make_table(report)
    (folder / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / f"{name}.txt").write_text(table)
    print(table)
    print(f"written to {folder / name}.json and .txt")
    failed = [row["name"] for row in rows if "error" in row or not row["measures"]["tuned_seconds"]]
    if failed:
        print(f"without a result: {', '.join(failed)}", file=sys.stderr)
    found = failures(sanitizer)
    if found:
        print(f"compute-sanitizer: {json.dumps(sanitizer)}", file=sys.stderr)
    sys.exit(1 if status or failed or found else 0)


main()
