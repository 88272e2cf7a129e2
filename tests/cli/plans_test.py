"""Plan files: they start at once, and only where and as they were meant.

usage: plans_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER [NAME ...]
"""
import shutil
import sys

sys.dont_write_bytecode = True
from command_harness import GREEDY, LLAMA, MIXTRAL, SCRATCH, greedy, hone, json_of, run_tests  # noqa: E402


def test_plans_start_without_compiling_and_refuse_what_they_must():
    plan = SCRATCH / "model.plan"
    report = json_of("compile", LLAMA, "-o", plan, "--devices", "virtual:8MiB,virtual:8MiB")
    assert report["kernels"] > 0
    words = ("--token-ids", "1,2,3,4,5", *GREEDY)
    started = json_of("run", plan, *words, "--cache", "")
    assert started["kernels_compiled"] == 0 and started["tokens"] == greedy(LLAMA)
    data = bytearray(plan.read_bytes())
    data[-1] ^= 1
    plan.write_bytes(data)
    assert "seal" in hone("run", plan, *words, status=3)[1]
    data[-1] ^= 1
    plan.write_bytes(data)
    hone("run", plan, *words, status=3, env={"XDG_CONFIG_HOME": str(SCRATCH / "stranger")})
    copy = SCRATCH / "moved.gguf"
    shutil.copy(MIXTRAL, copy)
    json_of("compile", copy, "-o", plan)
    shutil.copy(LLAMA, copy)
    assert "not the model" in hone("run", plan, *words, status=3)[1]


def test_signed_plans_run_where_their_key_is_trusted():
    plan, stranger = SCRATCH / "signed.plan", {"XDG_CONFIG_HOME": str(SCRATCH / "runner")}
    hone("compile", LLAMA, "-o", plan, "--sign", "team", status=2)
    key = json_of("keys", "new", "team")
    json_of("compile", LLAMA, "-o", plan, "--sign", "team")
    words = ("run", plan, "--token-ids", "1,2,3,4,5", *GREEDY, "--cache", "")
    assert "not trusted here" in hone(*words, status=3, env=stranger)[1]
    assert json_of("keys", "trust", key["file"], env=stranger)["fingerprint"] == key["fingerprint"]
    assert json_of(*words, env=stranger)["tokens"] == greedy(LLAMA)
    assert json_of("show", plan, env=stranger)["signer"] == "team"
    hone("keys", "forget", key["fingerprint"], env=stranger)
    hone(*words, status=3, env=stranger)
    assert [k["name"] for k in json_of("keys", "list")["keys"]] == ["team"]


run_tests(globals())
