"""--layer-map on run, bench, eval and compile, for every architecture: a plan made with it runs the same layers.

That the logits are those of a model with copied layers is checked by tests/oracle (the cases named mapped).

usage: layer_map_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

HONE, SOURCE, SCRATCH = (pathlib.Path(word) for word in sys.argv[1:4])
VECTORS = SOURCE / "tests/oracle/vectors"
DEMOS = {SOURCE / "models/demo/demo-dense.gguf": 6, SOURCE / "models/demo/demo-moe.gguf": 5}
PROMPT = ("--token-ids", "1,5,3,9,2", "--tokens", 4, "--temperature", 0, "--context", 64)
QUICK = ("--references", "--devices", "cpu")  # nothing to compile: this is about layers, not about kernels


def hone(*words, status=0):
    environment = dict(os.environ, XDG_CACHE_HOME=str(SCRATCH / "cache"), XDG_CONFIG_HOME=str(SCRATCH / "config"))
    done = subprocess.run([str(HONE), *map(str, words)], capture_output=True, env=environment, timeout=120)
    assert done.returncode == status, f"hone {words}: exit {done.returncode}, not {status}: {done.stderr.decode()}"
    return done.stderr.decode() if status else done.stdout.decode()


def json_of(*words):
    return json.loads(hone(*words, "--json"))


def models():
    """(file or folder, its number of layers), all architectures and formats."""
    for part in ("models", "architectures"):
        for reference in json.loads((VECTORS / part / "manifest.json").read_text())["references"]:
            for source in reference["sources"]:
                folder = VECTORS / part / reference["name"] / "huggingface"
                config = json.loads(next(folder.parent.glob("**/config.json")).read_text()) if folder.exists() else None
                if config:
                    yield VECTORS / part / source["path"], config["num_hidden_layers"]


def check_model(path, layers):
    """What run prints under a map, and that a plan file made with it gives the same and says so."""
    last = layers - 1
    order, plan = f"0..{last},{last // 2}..{last}", SCRATCH / "mapped.plan"
    mapped = json_of("run", path, *PROMPT, *QUICK, "--layer-map", order)["tokens"]
    made = json_of("compile", path, *QUICK, "--context", 64, "--layer-map", order, "-o", plan)
    plain = json_of("show", path, *QUICK, "--context", 64)
    shown = json_of("show", plan)
    assert shown["layer_map"] == order and plain["layer_map"] is None, path
    assert len(shown["steps"]) == made["steps"] > len(plain["steps"]), path
    weights, states = ([d[kind] for d in (plain["devices"][0], shown["devices"][0])]
                       for kind in ("weight_bytes", "state_bytes"))
    assert weights[0] == weights[1], f"{path}: weights are not shared: {weights}"
    extra = layers - last // 2
    assert states[1] * layers == states[0] * (layers + extra), f"{path}: states {states}"
    assert json_of("run", plan, *PROMPT[:-2])["tokens"] == mapped, path
    error = hone("run", path, *PROMPT, *QUICK, "--layer-map", f"0..{layers}", status=2)
    assert f"the model has {layers} layers, 0 to {last}" in error, error
    return mapped != json_of("run", path, *PROMPT, *QUICK)["tokens"]


def check_every_architecture():
    found = list(models())
    differing = sum(check_model(path, layers) for path, layers in found)
    assert len(found) >= 20 and 2 * differing > len(found), (differing, len(found))
    print(f"{len(found)} models: plans keep their layer maps; other tokens than without in {differing}")


def check_every_command():
    text = SCRATCH / "story.txt"
    text.write_text("Once upon a time, there was a quiet dog named Felix. He lived in a wooden kennel.\n")
    for path, layers in DEMOS.items():
        order, plan = f"0..{layers - 1},2,2", SCRATCH / "demo.plan"
        plain = json_of("eval", path, text)["perplexity"]
        mapped = json_of("eval", path, text, "--layer-map", order)["perplexity"]
        assert mapped != plain == json_of("eval", path, text, "--layer-map", f"0..{layers - 1}")["perplexity"]
        hone("compile", path, "--layer-map", order, "--context", 512, "-o", plan)
        assert abs(json_of("eval", plan, text)["perplexity"] / mapped - 1) < 1e-6
        assert f"layers in this order: {order}" in hone("show", plan)
        for source in ((path, "--layer-map", order), (plan,)):
            report = json_of("bench", *source, "--prompt", 16, "--generate", 2, "--repeat", 1)
            assert report["decode_tokens_per_second"] > 0
        for command in (("run", plan, *PROMPT), ("bench", plan), ("eval", plan, text), ("show", plan)):
            assert "is a plan" in hone(*command, "--layer-map", order, status=2), command


def check_errors():
    path, layers = next(iter(DEMOS.items()))
    for order in (f"{layers}", f"0..{layers}", "-1", "99999999999999999999", f"0..1,{layers}..{layers + 3}", "3..2"):
        for command in (("run", path, *PROMPT), ("bench", path), ("eval", path, __file__),
                        ("compile", path, "-o", SCRATCH / "no.plan")):
            error = hone(*command, f"--layer-map={order}", status=2)
            assert f"the model has {layers} layers, 0 to {layers - 1}" in error, error
    for order in ("", "a", "1,", "1..", "..1", "1,,2", "1;2", "0x1", "1.5"):
        assert "--layer-map" in hone("run", path, *PROMPT, f"--layer-map={order}", status=2)
    too_many = ",".join([f"0..{layers - 1}"] * 3000)
    assert "layer map of" in hone("run", path, *PROMPT, "--layer-map", too_many, status=2)
    assert not (SCRATCH / "no.plan").exists()


def main():
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    check_errors()
    check_every_command()
    check_every_architecture()


main()
