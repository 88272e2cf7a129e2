"""The command line as scripts see it: exit statuses, what goes to which stream, JSON, files.

usage: cli_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER [NAME ...]
"""
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from command_harness import (  # noqa: E402
    DEMO, GREEDY, HONE, LLAMA, MIXTRAL, SCRATCH, SOURCE, VECTORS, greedy, hone, json_of, run_tests)


def read_npy(path):
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    length = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10:10 + length].decode(), {})  # a literal that hone wrote
    count = header["shape"][0] * header["shape"][1]
    return header["shape"], struct.unpack(f"<{count}f", data[10 + length:])


def test_version_and_help_need_nothing():
    out, _ = hone("--version")
    assert out.startswith("hone 0.")
    out, _ = hone("help")
    for command in ("run", "bench", "compile", "devices", "show"):
        assert f"  {command} " in out
        assert "usage: hone " + command in hone(command, "--help")[0]
    assert ".TH HONE" in hone("man")[0]
    for shell in ("bash", "zsh", "fish"):
        assert "token-ids" in hone("completion", shell)[0]


def test_wrong_use_is_told_and_exits_2():
    assert "did you mean `hone bench`" in hone("bench1", status=2)[1]
    assert "did you mean --tokens" in hone("run", LLAMA, "--token", "1", status=2)[1]
    for words in (["run"], ["run", LLAMA, "--tokens"], ["run", LLAMA, "--tokens", "x"], ["run", LLAMA, "--json=1"],
                  ["run", LLAMA, "--token-ids", "1,,2"], ["run", LLAMA, "--token-ids", "1,500"],
                  ["run", LLAMA, "--token-ids", "1", "--kv", "q9"], ["run", LLAMA, "--token-ids", "1", "--mla", "naive"],
                  ["run", LLAMA, "--token-ids", "1", "--mla", "folded"], ["run", LLAMA, "--token-ids", "1", "--devices", "gpu"],
                  ["run", LLAMA, "--token-ids", "1", "--layer-map", "0..9"], ["run", LLAMA, "--token-ids", "1", "--top-p", "2"],
                  ["compile", LLAMA], ["show", LLAMA, "--kernel", "99"], ["completion", "tcsh"]):
        hone(*words, status=2)


def test_devices_that_are_not_there_exit_4():
    hone("run", LLAMA, "--token-ids", "1", "--devices", "cuda:0", status=4)


def test_missing_and_broken_files_exit_3():
    broken = SCRATCH / "broken.gguf"
    data = LLAMA.read_bytes()
    for name, content in (("empty", b""), ("cut", data[:100]), ("half", data[:len(data) // 2]), ("noise", b"\x00" * 5000),
                          ("pickle", b"\x80\x02}q\x00."), ("plan", b"HONEPLAN" + b"\xff" * 100)):
        broken.write_bytes(content)
        _, err = hone("run", broken, "--token-ids", "1", status=3)
        assert "broken.gguf" in err, f"{name}: {err}"
    hone("run", SCRATCH / "nothing.gguf", "--token-ids", "1", status=3)
    hone("run", "/dev/zero", "--token-ids", "1", status=3)
    empty = SCRATCH / "folder"
    empty.mkdir(exist_ok=True)
    hone("run", empty, "--token-ids", "1", status=3)


def test_devices_prints_ceilings():
    device = json_of("devices")["devices"][0]
    assert device["device"] == "cpu" and device["facts"]["read_bandwidth"] > 1e8
    assert device["facts"]["real_rate"] > 1e8 and device["facts"]["cores"] >= 1
    out, _ = hone("devices", "--cpu", "portable")
    assert "GB/s" in out and "GFLOP/s" in out


def case_of(name, kind):
    manifest = json.loads((VECTORS / "manifest.json").read_text())
    reference = next(r for r in manifest["references"] if r["name"] == name)
    return next(c for c in reference["cases"] if c["name"] == kind)


def test_logits_are_written_as_numpy():
    case = case_of("llama-f32", "prefill_7")
    target = SCRATCH / "logits.npy"
    report = json_of("run", LLAMA, "--token-ids", ",".join(map(str, case["ids"])), "--tokens", 0, "--logits", target,
                     "--kv", "f32")
    assert report["prompt_tokens"] == 7 and report["sequences"] == []
    shape, values = read_npy(target)
    expected_shape, expected = read_npy(VECTORS / case["logits"])
    assert shape == expected_shape
    worst = max(abs(a - b) for a, b in zip(values, expected))
    assert worst < case["bound"], worst


GREEDY = ("--tokens", 12, "--temperature", 0)


def test_the_same_tokens_on_any_devices():
    for model in (LLAMA, DEMO):
        expected = greedy(model)
        assert len(expected) == 12
        assert greedy(model, "--devices", "virtual:8MiB,virtual:8MiB,cpu") == expected
        assert greedy(model, "--devices", "virtual:8MiB@5GFLOPS,1GB/s,cpu") == expected
        assert greedy(model, "--references") == expected
        assert greedy(model, "--threads", 1, "--chunk", 2) == expected


def test_a_device_too_small_exits_5():
    _, err = hone("run", LLAMA, "--token-ids", "1", "--devices", "virtual:64KiB", status=5)
    assert "does not fit" in err or "needed" in err


def test_a_second_start_compiles_nothing():
    shutil.rmtree(SCRATCH / "second", ignore_errors=True)
    words = ("run", MIXTRAL, "--token-ids", "1,2", "--tokens", 2, "--cache", SCRATCH / "second")
    first, second = json_of(*words), json_of(*words)
    assert first["kernels_compiled"] == first["kernels"] > 0
    assert second["kernels"] == first["kernels"] and second["kernels_compiled"] == 0


def test_sequences_run_side_by_side():
    report = json_of("run", MIXTRAL, "--token-ids", "5,6,7", "--tokens", 8, "--sequences", 4, "--temperature", 0)
    assert len(report["sequences"]) == 4
    assert all(s["tokens"] == report["tokens"] for s in report["sequences"])
    words = ("run", MIXTRAL, "--token-ids", "5,6,7", "--tokens", 8, "--sequences", 4, "--temperature", 1, "--seed", 3)
    drawn, again = json_of(*words), json_of(*words)
    assert drawn["sequences"] == again["sequences"]
    assert len({tuple(s["tokens"]) for s in drawn["sequences"]}) > 1


def test_show_prints_graph_plan_and_kernel():
    assert hone("show", LLAMA, "--graph")[0].startswith("graph ")
    assert "add_rmsnorm" in hone("show", LLAMA, "--fused")[0]
    steps = json_of("show", LLAMA)["steps"]
    compiled = next(s["step"] for s in steps if s.get("kernel", "reference") != "reference")
    shown = json_of("show", LLAMA, "--kernel", compiled)
    assert "define" in shown["source"] and len(shown["assembly"]) > 100


def emulated_kernel():
    """The arguments that show the demo model's first rmsnorm on an emulated card; None where there is no such card."""
    card = ("--devices", "emulated:sm_86:1GiB,cpu")
    try:
        steps = json_of("show", DEMO, *card)["steps"]
        step = next(s["step"] for s in steps if s.get("kernel", "").startswith("rmsnorm_cuda"))
    except (AssertionError, StopIteration) as reason:
        if not any(word in str(reason) for word in ("stand-in CUDA driver", "NVRTC", "no CUDA target")):
            raise
        print(f"skipped: {str(reason).splitlines()[-1]}")
        return None
    return ("show", DEMO, *card, "--kernel", step, "--emulate", "--rows", 5)


def test_show_emulates_a_kernel():
    words = emulated_kernel()
    if not words:
        return
    shown = json_of(*words)
    kernel = shown["emulated"]["kernels"][0]
    assert shown["emulated"]["status"] == "ok" and kernel["fault"] is None
    assert kernel["grid"][0] > 0 and kernel["modelled_seconds"] > 0
    assert kernel["warp_instructions"] == sum(kernel["instructions"].values()) > 100
    assert kernel["unique_sectors"] <= kernel["global_sectors"] and kernel["global_bytes"] > 1000
    assert "bank conflicts" in hone(*words)[0]
    assert "--kernel STEP" in hone("show", DEMO, "--emulate", status=2)[1]
    assert "runs on the host" in hone("show", DEMO, "--emulate", "--kernel", next(
        s["step"] for s in json_of("show", DEMO)["steps"] if s.get("kernel", "reference") != "reference"), status=2)[1]


def test_show_emulate_tells_what_is_wrong_with_a_kernel():
    words = emulated_kernel()
    if not words:
        return
    folder, planted = SCRATCH / "planted", SOURCE / "tests/cuda/variants"
    folder.mkdir()
    shutil.copy(planted / "rmsnorm_planted.cu", folder / "rmsnorm_cuda.cu")
    space = (planted / "rmsnorm_planted.yaml").read_text()
    for plant, verdict in ((0, "ok"), (1, "mismatch"), (2, "out_of_bounds"), (3, "crashed")):
        (folder / "rmsnorm_cuda.yaml").write_text(space.replace("default: 0", f"default: {plant}"))
        done = subprocess.run([str(HONE), *map(str, words), "--variants", str(folder), "--json"], capture_output=True,
                              env=dict(os.environ, XDG_CACHE_HOME=str(SCRATCH / "cache"),
                                       ASAN_OPTIONS="detect_leaks=0"),  # a card that failed keeps what lies on it
                              timeout=120)
        shown = json.loads(done.stdout)["emulated"]
        assert done.returncode == (6 if plant else 0) and shown["status"] == verdict, (plant, done.stderr)
        fault = shown["kernels"][-1]["fault"]
        assert (fault is not None) == (plant == 3), fault
        assert plant != 3 or "where nothing is allocated" in fault


def test_bench_prints_the_agreed_names():
    report = json_of("bench", LLAMA, "--prompt", 16, "--generate", 4, "--repeat", 3)
    for name in ("prefill_tokens_per_second", "decode_tokens_per_second", "read_bandwidth_bytes_per_second",
                 "decode_bandwidth_share", "prefill_peak_share"):
        assert report[name] > 0 and report[name + "_spread"] >= 0, name
    assert report["weight_bytes_per_token"] > 0 and report["peak_memory_bytes"] > pathlib.Path(LLAMA).stat().st_size
    assert "of its limit" in hone("bench", LLAMA, "--prompt", 16, "--generate", 4, "--repeat", 1, "--roofline")[0]


def test_a_layer_map_repeats_layers():
    plain = greedy(LLAMA)
    assert greedy(LLAMA, "--layer-map", "0..1") == plain
    assert greedy(LLAMA, "--layer-map", "0,1,0,1") != plain
    assert greedy(LLAMA, "--layer-map", "0,1,0,1") == greedy(LLAMA, "--layer-map", "0..1,0..1", "--devices", "virtual:8MiB,cpu")


def test_nothing_is_written_where_nothing_can_be():
    out = json_of("run", MIXTRAL, "--token-ids", "1,2", "--tokens", 2, "--cache", "/proc/nowhere")
    assert len(out["tokens"]) == 2
    out = json_of("run", MIXTRAL, "--token-ids", "1,2", "--tokens", 2, env={"XDG_CACHE_HOME": "relative", "HOME": ""})
    assert len(out["tokens"]) == 2


def test_closed_and_full_outputs_are_failures():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(HONE), "help"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"standard output" in done.stderr


def test_interrupting_stops_cleanly():
    process = subprocess.Popen([str(HONE), "run", str(MIXTRAL), "--token-ids", "1", "--tokens", "400", "--ignore-end",
                                "--references", "--json", "--devices", "virtual:16MiB@0.001GFLOPS,1GB/s"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130, process.returncode
    assert json.loads(out)["end"] == "interrupted"


def test_a_file_that_shrinks_while_it_runs_is_a_bad_file():
    model = SCRATCH / "shrinks.gguf"
    shutil.copy(SOURCE / "models/demo/demo-dense.gguf", model)
    process = subprocess.Popen([str(HONE), "run", str(model), "-p", "Once", "--tokens", "3000", "--context", "4096",
                                "--ignore-end", "--references", "--quiet", "--cache", ""],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.read(1)  # it has begun to generate
    os.truncate(model, model.stat().st_size // 2)
    _, err = process.communicate(timeout=120)
    told = [line for line in err.decode().splitlines() if line.startswith("hone: ")]
    assert process.returncode == 3 and len(told) == 1 and "shorter" in told[0], (process.returncode, err)


def tune(cache, *words, **options):
    return json_of("tune", LLAMA, "--cache", cache, *words, **options)


def check_choices(choices, kv, why):
    named = {choice["decision"]: choice for choice in choices if choice["chosen"] and choice["reason"]}
    assert set(named) >= {"placement", "layout", "KV type", "context", "chunk", "layers", "numerics"}, choices
    assert named["KV type"]["chosen"].startswith(kv) and named["KV type"]["reason"].startswith(why), named["KV type"]


def test_tuning_is_remembered_and_explained():
    cache = SCRATCH / "tuned"
    report = tune(cache, "--op", "linear", "--effort", 1)
    assert report["measured"] > 0 and report["kept"]
    for row in report["problems"]:
        assert row["problem"].startswith("linear(") and row["winner"] and row["seconds"] > 0
        assert row["configurations"] > 0 and row["measured"] > 0 and isinstance(row["rejected"], dict)
    again = tune(cache, "--op", "linear", "--effort", 1)
    assert again["measured"] <= report["measured"]
    steps = json_of("show", LLAMA, "--cache", cache)["steps"]
    measured = [s for s in steps if s.get("measured")]
    assert measured and all(s["problem"].startswith("linear(") for s in measured)
    explained = json_of("explain", LLAMA, measured[0]["step"], "--cache", cache)["steps"][0]
    assert explained["basis"] in ("final", "explored")
    assert explained["candidates"][0]["seconds"] > 0
    assert any(c["verdict"] == "chosen" and c["candidate"] == explained["chosen"] for c in explained["candidates"])
    check_choices(json_of("explain", LLAMA, "--cache", cache)["choices"], "f16", "the default")
    choices = json_of("explain", LLAMA, "--devices", "virtual:64MiB,virtual:64MiB", "--kv", "bf16", "--references")["choices"]
    check_choices(choices, "bf16", "asked for")
    assert [c["reason"] for c in choices if c["decision"] == "placement"] == 2 * [
        "in proportion to the memory sizes: the first device would hold them all"]
    small = json_of("explain", DEMO, "--devices", "virtual:3MiB,virtual:1MiB,cpu", "--chunk", 32, "--references")["choices"]
    reasons = [c["reason"] for c in small if c["decision"] == "placement"]
    assert "3 MiB hold so many" in reasons[0] and "1 MiB hold none" in reasons[1] and "do not hold" in reasons[2], reasons
    run = ("run", LLAMA, "--token-ids", "1,2,3", "--tokens", 4, "--temperature", 0)
    assert json_of(*run, "--cache", cache)["tokens"] == json_of(*run, "--references")["tokens"]


def test_effort_0_measures_nothing():
    report = tune(SCRATCH / "effort0", "--effort", 0)
    assert report["measured"] == 0 and all(row["basis"] in ("estimate", "reference") for row in report["problems"])


def test_tuning_without_a_compiler_records_nothing():
    cache, nowhere = SCRATCH / "no-compiler", {"HONE_MODULE_PATH": str(SCRATCH / "nowhere")}
    _, said = hone("tune", LLAMA, "--cache", cache, "--effort", 1, status=1, env=nowhere)
    assert "HONE_MODULE_PATH" in said
    assert json_of("store", "list", "--cache", cache)["records"] == []


def test_what_ran_is_captured_and_tuned():
    capture, cache = SCRATCH / "capture.yaml", SCRATCH / "captured"
    run = ("run", DEMO, "--token-ids", "1,5,9", "--tokens", 4, "--ignore-end", "--references", "--quiet")
    for _ in range(2):
        hone(*run, "--capture", capture)
    text = capture.read_text()
    assert "\nruns: 2\n" in text and text.count("- problem: ") > 10 and "\nrouting:\n" in text
    _, said = hone(*run, "--capture", capture, "--record-routing", SCRATCH / "both.routing", status=2)
    assert "give one of them" in said
    report = json_of("tune", DEMO, "--from", capture, "--op", "dispatch", "--effort", 1, "--cache", cache)
    assert len(report["problems"]) == 2 and all(" routing=" in row["problem"] for row in report["problems"])
    assert 0 <= report["expected_gain"] < 1 and report["coverage"] > 0
    _, said = hone("tune", LLAMA, "--from", capture, "--cache", cache, status=2)
    assert "another model" in said
    capture.write_text(text.replace("runs: 2", "runs: many"))
    hone(*run, "--capture", capture, status=3)


def test_the_budget_ends_tuning():
    start = time.monotonic()
    tune(SCRATCH / "budget", "--budget", "2s", "--effort", 4)
    assert time.monotonic() - start < 30


def test_the_store_knows_its_actions():
    hone("store", "forget", status=2)


def test_killing_the_tuner_loses_no_record():
    """Every record that is in the store at some moment is there after any later kill, and the store is whole."""
    cache = SCRATCH / "killed"
    kills = int(os.environ.get("HONE_TEST_KILLS", "12"))
    known = 0
    for n in range(kills):
        process = subprocess.Popen([str(HONE), "tune", str(LLAMA), "--cache", str(cache), "--effort", "4", "--quiet"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3 + (n * 0.37) % 1.1)
        for _ in range(60):  # the first one until there is something to lose, however slow this build is
            if known or json_of("store", "doctor", "--cache", cache)["records"]:
                break
            time.sleep(0.5)
        seen = json_of("store", "doctor", "--cache", cache)["records"]  # acknowledged: another process reads it
        process.send_signal(signal.SIGKILL)
        process.wait()
        verified = json_of("store", "doctor", "--cache", cache)
        assert verified["damaged"] == 0 and verified["records"] >= max(known, seen), (n, known, seen, verified)
        known = verified["records"]
    assert known > 0
    print(f"        {kills} kills, {known} records kept")


def test_interrupting_the_tuner_keeps_every_record():
    cache = SCRATCH / "interrupted"
    process = subprocess.Popen([str(HONE), "tune", str(LLAMA), "--cache", str(cache), "--effort", "4", "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (process.returncode, err)
    report = json.loads(out)
    assert report["interrupted"]
    assert json_of("store", "doctor", "--cache", cache)["records"] >= report["measured"]


def test_synthetic_models_run():
    file = SCRATCH / "synth.gguf"
    report = json_of("synth", "--preset", "qwen2.5-0.5b", "--layers", 1, "--type", "q8_0", "-o", file)
    assert report["bytes"] == file.stat().st_size > 1e6
    out = json_of("run", file, "--token-ids", "1,2,3", "--tokens", 2, "--context", 64)
    assert len(out["tokens"]) == 2
    file.unlink()
    assert "tinyllama-1.1b" in hone("synth", status=2)[1]
    hone("synth", "--preset", "gpt-9", "-o", file, status=2)
    hone("synth", "--preset", "tinyllama-1.1b", "--type", "q9", "-o", file, status=2)


def test_quantised_models_run_alike():
    file = SCRATCH / "quantised.gguf"
    for kind in ("q4_K_M", "q6_K", "iq4_xs"):
        report = json_of("quantize", DEMO, "-o", file, "--type", kind, "--rule", "output.weight=q8_0")
        types = {tensor["name"]: tensor["to"] for tensor in report["tensors"]}
        assert types["output.weight"] == "q8_0" and types["output_norm.weight"] == "f32", types
        assert sum(tensor["bytes"] for tensor in report["tensors"]) == report["bytes"] < file.stat().st_size
        logits = []
        for words in ([], ["--references"]):
            out = SCRATCH / "quantised.npy"
            hone("run", file, "--token-ids", "1,15,27,40,9", "--tokens", 0, "--context", 64, "--logits", out, *words)
            logits.append(read_npy(out)[1])
        spread = (sum(x * x for x in logits[1]) / len(logits[1])) ** 0.5
        error = (sum((x - y) ** 2 for x, y in zip(*logits)) / len(logits[0])) ** 0.5
        assert error < 0.02 * spread, (kind, error, spread)
    file.unlink()
    assert "--type" in hone("quantize", DEMO, "-o", file, status=2)[1]
    assert "did you mean" in hone("quantize", DEMO, "-o", file, "--type", "q4_KM", status=2)[1]
    hone("quantize", DEMO, "-o", file, "--type", "q4_K", "--rule", "q4_K", status=2)
    hone("quantize", SOURCE / "README.md", "-o", file, "--type", "q4_K", status=3)
    assert not file.exists()


def test_tokenizing_agrees_with_the_reference_tokenizers():
    folder = SOURCE / "tests/oracle/vectors/tokenizers"
    strings = json.loads((folder / "strings.json").read_text(encoding="utf-8"))
    for kind in ("gpt-2", "llama-bpe", "qwen2", "sentencepiece"):
        ids = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))["ids"]
        for index in range(300, 1200, 100):
            told = json_of("tokenize", folder / f"{kind}.gguf", "-", "--plain", stdin=strings[index].encode())
            assert told["tokens"] == ids[index], (kind, index, told)
            assert len(told["pieces"]) == len(told["tokens"])
    model, words = folder / "llama-bpe.gguf", ("--decode", "1,2")
    out, _ = hone("tokenize", model, "Hi<|eot_id|>")
    prompt = [int(word) for word in out.split(",")]
    assert json_of("tokenize", model, "Hi<|eot_id|>")["tokens"] == prompt
    plain = json_of("tokenize", model, "Hi<|eot_id|>", "--plain")["tokens"]
    assert len(plain) > len(prompt) and plain[0] != prompt[0]  # no begin token; the special one is text
    assert hone("tokenize", model, "--decode", out.strip())[0] == "Hi\n"
    assert hone("tokenize", model, "--decode", ",".join(map(str, plain)))[0] == "Hi<|eot_id|>\n"
    assert json_of("tokenize", model, "", "--plain") == {"tokens": [], "pieces": []}
    assert json_of("tokenize", model, "-", "--plain", stdin=b"\xff\x00")["pieces"] == ["\ufffd", "\x00"]
    for wrong in ([], [model], [model, "text", *words], [model, "--decode", "1,,2"], [model, "--decode", "99999"]):
        hone("tokenize", *wrong, status=2)
    assert "no tokenizer" in hone("tokenize", LLAMA.parent / "huggingface", "text", status=3)[1]


def test_conversations_take_turns():
    template = SCRATCH / "turns.jinja"
    template.write_text("{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}assistant:")
    common = ["run", DEMO, "--chat", "--chat-template", template, "--tokens", 6, "--temperature", 0, "--system", "be kind"]
    one = json_of(*common, "-p", "One day")
    assert hone(*common, "-p", "One day")[0] == one["text"] + "\n"
    two = json_of(*common, stdin=b"One day\n\nand then\n")
    assert [turn["text"] for turn in two["turns"]][0] == one["text"] and len(two["turns"]) == 2
    first, second = two["turns"]
    assert first["fed_tokens"] == first["prompt_tokens"] and second["fed_tokens"] < second["prompt_tokens"] - 10
    assert hone(*common, stdin=b"One day\nand then\n")[0].startswith(one["text"] + "\n")
    assert "no chat template" in hone("run", DEMO, "--chat", "-p", "x", status=2)[1]
    assert "--chat" in hone("run", DEMO, "--system", "x", "-p", "x", status=2)[1]
    hone("run", DEMO, "--chat", "--token-ids", "1", status=2)
    hone(*common, stdin=b"\xff\n", status=2)
    template.write_text("{{ raise_exception('not today') }}")
    assert "1:4: the template refuses this conversation: not today" in hone(*common, "-p", "x", status=3)[1]
    template.write_text("{% nosuch %}")
    assert "turns.jinja:1:4: " in hone(*common, "-p", "x", status=3)[1]


def test_text_that_is_no_utf8_is_still_json():
    torn = SCRATCH / "torn.gguf"
    torn.write_bytes(LLAMA.read_bytes().replace("\u2581".encode(), b"\xff\x96\x81"))
    report = json_of("run", torn, "--token-ids", "1,2,3", "--tokens", 4, "--temperature", 0)
    assert "\ufffd" in report["text"] and len(report["tokens"]) == 4
    torn.unlink()


run_tests(globals())
