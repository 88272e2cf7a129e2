"""The parts of bench/compare that need no rival: rows, model files, rounds and tables, distances of logits.

usage: compare_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER
"""
import json
import math
import pathlib
import shutil
import struct
import subprocess
import sys
import traceback

HONE, SOURCE, SCRATCH = (pathlib.Path(word).resolve() for word in sys.argv[1:4])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "bench/compare_host"))

import contenders  # noqa: E402
import host_compare  # noqa: E402
import host_rows  # noqa: E402
import logit_distance  # noqa: E402
import model_files  # noqa: E402
import round_summary  # noqa: E402

DEMO = SOURCE / "models/demo/demo-dense.gguf"
SMALL = host_rows.Row("tinyllama-1.1b", "q4_K_M", layers=1, targets=host_rows.Targets(0.5, 2.0, 0.5, 2.0))


def close(value, expected):
    return math.isclose(value, expected, rel_tol=1e-6)


def refuses(error, work, *arguments):
    try:
        work(*arguments)
    except error as told:
        return str(told)
    raise AssertionError(f"{work.__name__}{arguments} was accepted")


def side(decode, prefill, **more):
    return {"decode_tokens_per_second": decode, "prefill_tokens_per_second": prefill, "load_seconds": 0.5,
            "peak_memory_bytes": 2 << 20, **more}


def hone_side(decode, prefill, sequences=1):
    return side(decode, prefill, sequences=sequences, read_bandwidth_bytes_per_second=1000.0, weight_bytes_per_token=20,
                prefill_peak_share=0.5)


class Scripted:
    """A contender that tells what it was given, a round after the other."""

    def __init__(self, name, told):
        self.name, self.told = name, list(told)

    def rates(self, *arguments):
        return self.told.pop(0)


def test_disturbed_rounds_are_taken_again():
    shares = (0.0, 0.5, 0.01)  # of the second round, others took half
    sides = [Scripted(name, [side(10 + n, 1, foreign_share=share) for n, share in enumerate(shares)])
             for name in ("hone", "llama.cpp")]
    taken, disturbed = host_compare.measure(sides, SMALL, "a.gguf", {}, 2)
    assert [told[1]["hone"]["decode_tokens_per_second"] for told in taken] == [10, 12] and len(disturbed) == 1
    sides = [Scripted(name, [side(10, 1, foreign_share=0.5)] * 4) for name in ("hone", "llama.cpp")]
    taken, disturbed = host_compare.measure(sides, SMALL, "a.gguf", {}, 2)
    assert (len(taken), len(disturbed)) == (2, 2), "on a machine that is never quiet, rounds count after all"


def test_rows_are_found_by_name_and_pattern():
    assert len({row.name for row in host_rows.ROWS}) == len(host_rows.ROWS)
    assert [row.name for row in host_rows.rows_like(["mixtral*"])] == ["mixtral-8x7b-q4_K_M"]
    assert host_rows.rows_like([]) == list(host_rows.ROWS)
    assert "tinyllama-1.1b-q8_0" in refuses(ValueError, host_rows.rows_like, ["tinyllama-q8"])


def test_without_amx_prefill_has_other_targets():
    row = host_rows.rows_like(["tinyllama-1.1b-q8_0"])[0]
    assert host_rows.targets_of(row, "native-amx") == row.targets
    capped = host_rows.targets_of(row, "x86-64-v3")
    assert (capped.prefill_share, capped.prefill_ratio, capped.decode_ratio) == (0.6, 1.2, row.targets.decode_ratio)


def test_a_ratio_is_of_one_round():
    """The machine halves its speed in the second round and doubles it in the third: the ratio stays."""
    rounds = [{"hone": hone_side(40 * speed, 300 * speed), "llama.cpp": side(20 * speed, 100 * speed)}
              for speed in (1, 0.5, 2)]
    told = round_summary.summarise(rounds)
    assert close(told["ratio"]["llama.cpp"]["decode_tokens_per_second"]["median"], 2)
    assert told["ratio"]["llama.cpp"]["decode_tokens_per_second"]["spread"] < 1e-9
    assert close(told["ratio"]["llama.cpp"]["prefill_tokens_per_second"]["median"], 3)
    assert close(told["hone"]["decode_tokens_per_second"]["median"], 40)
    assert close(told["hone"]["decode_share"]["median"], 40 * 20 / 1000)
    assert close(told["llama.cpp"]["decode_share"]["median"], 20 * 20 / 1000)
    assert close(told["llama.cpp"]["prefill_share"]["median"], 0.5 / 3)


def test_the_spread_is_half_the_distance_of_the_quartiles():
    assert round_summary.middle([5, 1, 3, 2, 4]) == {"median": 3, "spread": 1}
    assert round_summary.middle([7]) == {"median": 7, "spread": 0}


def test_steps_of_many_rows():
    taken = {count: [{"hone": hone_side(rate, 1, count), "llama.cpp": side(10, 1)}]
             for count, rate in ((1, 10), (4, 32), (16, 80))}
    told = round_summary.step_costs(taken)
    assert close(told["hone"]["4"]["gain"]["median"], 3.2) and close(told["hone"]["16"]["cost"]["median"], 2)
    assert close(told["llama.cpp"]["4"]["cost"]["median"], 4)


def entry_of(rounds):
    class Side:
        def __init__(self, name):
            self.name = name

        def rates_command(self, *arguments):
            return [self.name, *arguments[:1]]

    sides = (Side("hone"), Side("llama.cpp"))
    return host_compare.entry_of(SMALL, "native-amx", sides, pathlib.Path("a.gguf"), {"flash": "on"}, [{1: told} for told in rounds], [])


def test_a_missed_target_is_marked():
    rounds = [{"hone": hone_side(30, 300), "llama.cpp": side(20, 100)}]
    cells = [cell.strip() for cell in round_summary.table([entry_of(rounds)]).splitlines()[-1].split("|")]
    assert cells[4] == "1.50 ± 0.00 (asked ≥ 2)" and cells[9] == "3.00 ± 0.00", cells
    assert cells[5] == "60 %" and cells[10] == "50 %", cells


def test_other_rivals_have_a_table():
    told = round_summary.table([entry_of([{"hone": hone_side(30, 300), "llama.cpp": side(20, 100), "openvino": side(15, 150)}])])
    assert [cell.strip() for cell in told.splitlines()[-1].split("|")][2:7] == [
        "openvino", "15.0 ± 0.0", "2.00 ± 0.00", "150.0 ± 0.0", "2.00 ± 0.00"], told
    torch, rows = contenders.Other("torch", "python3"), {row.name: row for row in host_rows.ROWS}
    assert torch.takes(rows["tinyllama-1.1b-bf16"]) and not torch.takes(rows["tinyllama-1.1b-bf16-sequences"])
    assert not torch.takes(rows["tinyllama-1.1b-q8_0"])


def test_results_keep_other_rows():
    out = SCRATCH / "results/compare.json"
    slow, fast = ([{"hone": hone_side(rate, 300), "llama.cpp": side(20, 100)}] for rate in (10, 40))
    other = {**entry_of(slow), "row": "tinyllama-1.1b-q8_0"}
    for entry in ({**entry_of(slow), "row": "mixtral-8x7b-q4_K_M"}, other, {**entry_of(fast), "row": "mixtral-8x7b-q4_K_M"}):
        host_compare.write(out, {"commit": "abc"}, entry)
    kept = json.loads(out.read_text())
    assert [row["row"] for row in kept["rows"]] == ["tinyllama-1.1b-q8_0", "mixtral-8x7b-q4_K_M"]
    assert kept["rows"][1]["summary"]["1"]["hone"]["decode_tokens_per_second"]["median"] == 40
    assert out.with_suffix(".md").read_text().count("\n") == 4


def write_npy(path, rows):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}\n".encode()
    body = b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body)


def test_distances_of_logits():
    right, path = [[0.0, 0.0], [1.0, 3.0]], SCRATCH / "right.npy"
    write_npy(path, right)
    assert [list(row) for row in logit_distance.read_npy(path)] == right
    assert logit_distance.distance(right, right)["kl_divergence"] == 0
    told = logit_distance.distance([[0.0, 0.0]], [[math.log(3), 0.0]])  # 1/2, 1/2 against 3/4, 1/4
    assert close(told["kl_divergence"], 0.5 * math.log(2 / 3) + 0.5 * math.log(2))
    assert logit_distance.distance(right, [[0.0, 0.0], [3.0, 1.0]])["top_token_agreement"] == 0.5
    assert "shapes" in refuses(ValueError, logit_distance.distance, right, right[:1])
    assert "no numbers" in refuses(ValueError, logit_distance.distance, right, [[0.0, math.nan], [1.0, 3.0]])
    path.write_bytes(path.read_bytes()[:-4])
    assert "numbers are not" in refuses(ValueError, logit_distance.read_npy, path)
    path.write_bytes(b"GGUF")
    assert "NumPy" in refuses(ValueError, logit_distance.read_npy, path)


def test_hone_as_a_contender():
    hone = contenders.Hone(HONE, "native", SCRATCH / "records")
    told = hone.rates(DEMO, 16, 4, 2, {})
    assert told["sequences"] == 2 and all(told[name] > 0 for name in (
        "decode_tokens_per_second", "prefill_tokens_per_second", "load_seconds", "peak_memory_bytes",
        "read_bandwidth_bytes_per_second", "weight_bytes_per_token"))
    ids = list(range(1, 33))
    hone.logits(DEMO, ids, SCRATCH / "own.npy")
    hone.logits(DEMO, ids, SCRATCH / "right.npy", "--references", "--kv", "f32")
    far = logit_distance.distance(*(logit_distance.read_npy(SCRATCH / name) for name in ("right.npy", "own.npy")))
    assert 0 < far["kl_divergence"] < host_compare.CHECK_DIVERGENCE, far
    assert "status 3" in refuses(contenders.Failed, hone.rates, SCRATCH / "right.npy", 16, 4, 1, {})


def test_families_are_capped_alike():
    """What llama.cpp is built for, and what Hone is told to keep to."""
    for family, has, has_not in (("avx512-vnni", "has_vnni", "has_bf16"), ("x86-64-v3", "has_avx2", "has_avx512")):
        words = [HONE, "devices", *contenders.HONE_CPU[family], "--json"]
        try:
            facts = contenders.run_json(words)["devices"][0]["facts"]
        except contenders.Failed as told:
            assert "status 4" in str(told), "only a family that this processor lacks is refused"
            continue
        assert facts[has] and not facts[has_not], (family, facts)


def test_model_files_are_made_once():
    path = model_files.model_file(HONE, SCRATCH, SMALL)
    made = path.stat()
    assert model_files.model_file(HONE, SCRATCH, SMALL) == path and path.stat().st_mtime_ns == made.st_mtime_ns
    assert sorted(each.name for each in SCRATCH.glob("*.gguf*")) == [path.name], "the source of a mix is not kept"


def test_the_cache_stays_out_of_the_repository():
    done = subprocess.run([SOURCE / "bench/compare", "--cache", SOURCE / "build/compare-cache"], capture_output=True, text=True)
    assert done.returncode == 2 and "outside" in done.stderr, done
    assert not (SOURCE / "build/compare-cache").exists()


def main():
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    failed = 0
    for name, function in list(globals().items()):
        if name.startswith("test_"):
            try:
                function()
                print(f"ok      {name[5:]}", flush=True)
            except Exception:  # every kind of failure is a failed test
                failed += 1
                print(f"FAILED  {name[5:]}: {traceback.format_exc()}", flush=True)
    sys.exit(failed > 0)


main()
