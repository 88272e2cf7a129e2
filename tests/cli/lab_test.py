"""hone lab: a space is recorded, written in every form, read back, and strategies are compared on it.

usage: lab_test.py HONE SOURCE SCRATCH
"""
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

HONE, SOURCE, SCRATCH = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
PROBLEM = "rmsnorm(f32[rows,256], f32[256]) -> f32[rows,256] {epsilon=1e-05 offset=0} rows<=1"


def hone(*words, status=0):
    process = subprocess.run([HONE, *map(str, words)], capture_output=True, text=True, timeout=300)
    assert process.returncode == status, (words, process.returncode, process.stderr)
    return process


def json_of(*words):
    return json.loads(hone(*words, "--json").stdout)


def lab(*words, **options):
    return hone("lab", *words, **options)


def write_bowl():
    """1,200 configs with one best, and an estimate that knows half of the truth."""
    lines = ["a,b,c,status,estimate_seconds,compile_seconds,measure_seconds,samples_us"]
    for a in range(12):
        for b in range(10):
            for c in range(10):
                time = 100 + 20 * abs(a - 7) + 9 * abs(b - 3) + 15 * abs(c - 5) + 4 * (a * b % 3)
                lines.append(f"{a},{b},{c},ok,{1e-6 * (100 + 30 * abs(a - 6)):.3e},0.05,0.01,{time}")
    path = SCRATCH / "bowl.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_space_is_recorded():
    path = SCRATCH / "rmsnorm.csv"
    recorded = json_of("lab", "record", "--problem", PROBLEM, "-o", path, "--repeats", 3, "--cache", SCRATCH / "cache")
    assert recorded["configs"] == recorded["legal"] >= 4, recorded
    counted = json_of("lab", "count", path)
    assert counted["configs"] == recorded["configs"] and counted["by_status"] == {"ok": counted["configs"]}
    assert counted["estimates"] and counted["costs"] and counted["best_seconds"] > 0
    few = json_of("lab", "record", "--problem", PROBLEM, "-o", SCRATCH / "few.csv", "--limit", 2, "--cache", "")
    assert few["configs"] == 2 and few["legal"] == recorded["legal"]


def test_every_form_is_written_and_read():
    bowl = write_bowl()
    whole = json_of("lab", "count", bowl)
    for form in ("csv", "cache", "t4", "ktt"):
        path = SCRATCH / f"bowl.{form}"
        lab("export", bowl, "--format", form, "-o", path)
        lab("import", path, "-o", SCRATCH / "back.csv")
        back = json_of("lab", "count", SCRATCH / "back.csv")
        assert back["configs"] == whole["configs"] and back["parameters"] == whole["parameters"], form
        assert abs(back["best_seconds"] / whole["best_seconds"] - 1) < 1e-3, form
    lab("export", bowl, "--format", "t1", "-o", SCRATCH / "bowl.t1")
    space = json.loads((SCRATCH / "bowl.t1").read_text())
    assert [p["Name"] for p in space["ConfigurationSpace"]["TuningParameters"]] == ["a", "b", "c"]
    check_t1(space)
    check_t4(json.loads((SCRATCH / "bowl.t4").read_text()))


def check_members(value, /, **kinds):
    assert isinstance(value, dict), value
    for name, kind in kinds.items():
        assert isinstance(value.get(name), kind) and not (kind is int and isinstance(value[name], bool)), (name, value.get(name))


def check_t1(space):
    """What the published schema of T1 requires (draft-07 of TuningSchema.json), by hand; bench/strategies.py asks the schema itself."""
    check_members(space, ConfigurationSpace=dict, KernelSpecification=dict, General=dict, Search=dict)
    for parameter in space["ConfigurationSpace"]["TuningParameters"]:
        check_members(parameter, Name=str, Type=str, Values=str)
        assert parameter["Type"] in ("int", "uint", "float", "bool", "string"), parameter
    for condition in space["ConfigurationSpace"]["Conditions"]:
        check_members(condition, Parameters=list, Expression=str)
        assert all(isinstance(name, str) for name in condition["Parameters"])
    kernel = space["KernelSpecification"]
    check_members(kernel, Language=str, KernelName=str, KernelFile=str, GlobalSize=dict, LocalSize=dict, Device=dict)
    assert kernel["Language"] in ("OpenCL", "CUDA", "Vulkan", "Hypertuner") and isinstance(kernel["Device"]["Name"], str)
    assert isinstance(kernel["GlobalSize"]["X"], str) and isinstance(kernel["LocalSize"]["X"], str)
    check_members(space["General"], FormatVersion=int)
    assert space["General"]["TimeUnit"] in ("Nanoseconds", "Microseconds", "Milliseconds", "Seconds")


def check_t4(document):
    """The same for results in T4."""
    check_members(document, schema_version=str, results=list, metadata=dict)
    for result in document["results"]:
        check_members(result, configuration=dict, times=dict, invalidity=str, correctness=(int, float), measurements=list,
                      objectives=list)
        assert result["invalidity"] in ("timeout", "compile", "runtime", "correctness", "constraints", "correct"), result
        check_members(result["times"], compilation=(int, float), runtimes=list, framework=(int, float),
                      search_algorithm=(int, float), validation=(int, float))
        for measurement in result["measurements"]:
            check_members(measurement, name=str, value=(int, float), unit=str)


def test_a_t1_file_becomes_a_space():
    """Its conditions mean what they mean in Python."""
    values = {"block_x": "[16, 32, 64, 128]", "block_y": "list(range(1, 9))", "tile": "range(4)", "mode": "['plain', 'vector']",
              "pad": "[True, False]"}
    conditions = ["32 <= block_x * block_y <= 512", "tile in [0, 1, 2] and not (pad == True and mode == 'plain')",
                  "block_x % 32 == 0 or block_y // 2 > 1", "block_x / block_y >= 4.5 if mode == 'vector' else True",
                  "min(block_x, 8 * block_y) - abs(-tile) not in (15, 23)"]
    path, written = SCRATCH / "gemm.json", SCRATCH / "gemm.yaml"
    path.write_text(json.dumps({
        "ConfigurationSpace": {"TuningParameters": [{"Name": name, "Type": "int", "Values": text} for name, text in values.items()],
                               "Conditions": [{"Parameters": [], "Expression": text} for text in conditions]},
        "KernelSpecification": {"KernelName": "gemm"}}))
    configs = [dict(zip(values, config)) for config in itertools.product(*(list(eval(text)) for text in values.values()))]
    legal = [config for config in configs if all(eval(text, {}, dict(config)) for text in conditions)]
    counted = json_of("lab", "count", path)
    assert counted == {"kernel": "gemm", "parameters": 5, "rules": 5, "raw": len(configs), "legal": len(legal)}, counted
    assert 0 < len(legal) < len(configs)
    lab("import", path, "--op", "linear", "-o", written)
    assert "condition 5 of the T1 file" in written.read_text()
    assert "--op" in lab("import", path, "-o", written, status=2).stderr
    assert "there is no operator" in lab("import", path, "--op", "lineal", "-o", written, status=2).stderr


def test_strategies_are_compared():
    chart = SCRATCH / "curves.svg"
    words = ("lab", "compare", "--space", write_bowl(), "--repeats", 10, "--seed", 3)
    report = json_of(*words, "-o", chart)
    shares = {row["strategy"]: row["share"] for row in report["means"]}
    assert report["spaces"][0]["results"][0]["budget"] == 60
    assert shares["guided"] > 0.97 and shares["guided"] > shares["random"], shares
    for result in report["spaces"][0]["results"]:
        curve = result["score_curve"]
        assert len(curve["mean"]) == 50 and all(l <= m <= h for l, m, h in zip(curve["low"], curve["mean"], curve["high"]))
    assert json_of(*words)["means"] == report["means"]  # the same seed, the same contest
    seen = {row["strategy"]: row["score"] for row in report["means"]}
    blind = {row["strategy"]: row["score"] for row in json_of(*words, "--blind", "--strategies", "climb,random")["means"]}
    assert blind["climb"] != seen["climb"] and blind["random"] == seen["random"]
    root = xml.etree.ElementTree.parse(chart).getroot()
    assert root.tag.endswith("svg") and len(root.findall(".//{*}polyline")) == 2 * len(shares)
    text = lab("compare", SCRATCH / "bowl.csv", "--repeats", 2, "--strategies", "guided").stdout
    assert re.search(r"mean +\d+\.\d+ %", text), text


def test_the_default_is_near_the_optimum_of_every_recorded_space():
    """With at most 5 % of the configs (20 of the small spaces); fewer searches than the benchmark's 100, so a little room."""
    words = ("lab", "compare", "--space", SOURCE / "bench/spaces", "--repeats", 12, "--seed", 1, "--strategies", "guided,random")
    for blind, mean, least in ((), 0.98, 0.94), (("--blind",), 0.97, 0.9):
        report = json_of(*words, *blind)
        assert len(report["spaces"]) >= 9
        guided, chance = report["means"]
        assert guided["strategy"] == "guided" and guided["share"] > mean and guided["worst_space_share"] > least, guided
        assert guided["share"] > chance["share"] and guided["score"] > chance["score"] + 0.2, (guided, chance)


def test_strategies_come_from_shared_objects():
    compiler = shutil.which("cc")
    if not compiler:
        return
    example = SCRATCH / "lattice.so"
    subprocess.run([compiler, "-std=c17", "-shared", "-fPIC", "-I", SOURCE / "include", "-o", example,
                    SOURCE / "docs/examples/strategy_lattice.c"], check=True)
    report = json_of("lab", "compare", write_bowl(), "--repeats", 3, "--strategies", f"{example},random")
    assert [row["strategy"] for row in report["means"]] == ["lattice", "random"]


def test_refusals_are_one_line():
    broken = SCRATCH / "broken.csv"
    broken.write_text("a,seconds\n1,soon\n")
    for words, status, part in (
            (("compare", broken), 3, "broken.csv:2"), (("compare", SCRATCH / "none.csv"), 3, "none.csv"),
            (("compare",), 2, "--space"), (("compare", write_bowl(), "--strategies", "gided"), 2, "guided"),
            (("dance",), 2, "compare"), (("record", "-o", "x.csv"), 2, "--problem"),
            (("record", "--problem", "linear(", "-o", "x.csv"), 3, "problem:1:8"),
            (("export", write_bowl(), "-o", "x"), 2, "--format")):
        process = subprocess.run([HONE, "lab", *map(str, words)], capture_output=True, text=True)
        assert process.returncode == status, (words, process)
        assert part in process.stderr and process.stderr.count("\n") == 1, (words, process.stderr)


def test_cache_policies_are_compared_on_routings():
    demo, drawn = SCRATCH / "demo.routing", SCRATCH / "drawn.routing"
    hone("run", SOURCE / "models/demo/demo-moe.gguf", "-p", "Once upon a time", "--tokens", 12, "--seed", 1,
         "--references", "--cache", "", "--record-routing", demo)
    report = json_of("lab", "cache", demo)
    assert report["experts"] == 8 and report["used"] == 2 and report["layers"] == 5 and report["steps"] >= 8
    assert [size["slots"] for size in report["sizes"]] == [1, 2, 3, 4, 5, 6, 7]
    run = ("run", SOURCE / "models/demo/demo-moe.gguf", "-p", "Once upon a time", "--tokens", 12, "--seed", 1,
           "--references", "--cache", "", "--devices", "virtual:64MiB,cpu")
    slots = json_of(*run, "--expert-slots", 4, "--routing", demo)["experts"]
    assert slots["slots"] == 4 and slots["policy"] in {row["policy"] for row in report["sizes"][0]["policies"]}
    assert 0 < slots["hits"] < slots["asked"] == slots["hits"] + slots["fetched"] + slots["computed"]
    assert json_of(*run)["experts"] is None
    assert "--expert-slots N" in hone(*run, "--routing", demo, status=2).stderr
    assert json_of("lab", "trace", "zipf=1.2", "experts=32", "used=4", "tokens=400", "-o", drawn)["steps"] == 400
    size = json_of("lab", "cache", drawn, "--slots", "8")["sizes"][0]
    rates = {row["policy"]: row["hit_rate"] for row in size["policies"]}
    assert rates["oracle"] == max(rates.values()) and rates["lru"] < rates["lfu"] < rates["oracle"]
    assert rates[size["chosen"]] >= 0.95 * rates[size["best"]]
    assert "lru" in lab("cache", drawn, "--shared").stdout
    assert "0 to 10" in lab("trace", "zipf=11", "-o", drawn, status=2).stderr
    assert "the experts of a layer" in lab("cache", drawn, "--slots", "33", status=2).stderr
    demo.write_bytes(demo.read_bytes()[:-1])
    assert "checksum" in lab("cache", demo, status=3).stderr
    assert "no routed experts" in hone("run", SOURCE / "models/demo/demo-dense.gguf", "-p", "a", "--references",
                                       "--cache", "", "--record-routing", demo, status=2).stderr


def main():
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
            print(name.removeprefix("test_").replace("_", " "))


main()
