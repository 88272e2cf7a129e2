"""The model files of the comparison: made once with `hone synth` and `hone quantize`, kept in a folder of the user's."""
import subprocess

MIXES = ("q4_K_M", "q5_K_M")  # `synth` writes one type for all matrices; a mix is quantised from q8_0
SOURCE_OF_MIXES = "q8_0"
SEED = 1


def path_of(folder, preset, kind):
    return folder / f"{preset}-{kind}.gguf"


def make(words, path):
    """Hone gives a file its name when it is whole, so whoever sees it can use it."""
    subprocess.run([*map(str, words), "-o", str(path), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    if not path.exists():
        raise FileNotFoundError(f"{' '.join(map(str, words))} wrote no {path}")


def synthesise(hone, folder, preset, kind, layers):
    path = path_of(folder, preset, kind)
    if not path.exists():
        shape = ["--layers", layers] if layers else []
        make([hone, "synth", "--preset", preset, "--type", kind, "--seed", SEED, *shape], path)
    return path


def model_file(hone, folder, row):
    """The row's file; made where it is not there yet."""
    path = path_of(folder, row.preset, row.type)
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    if row.type not in MIXES:
        return synthesise(hone, folder, row.preset, row.type, row.layers)
    source = path_of(folder, row.preset, SOURCE_OF_MIXES)
    kept = source.exists()
    synthesise(hone, folder, row.preset, SOURCE_OF_MIXES, row.layers)
    make([hone, "quantize", source, "--type", row.type], path)
    if not kept:
        source.unlink()
    return path
