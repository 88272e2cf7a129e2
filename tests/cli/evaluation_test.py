"""hone eval against the same numbers computed here from the logits of hone run; and files that must be refused.

usage: evaluation_test.py HONE SOURCE_FOLDER SCRATCH_FOLDER
"""
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys

HONE, SOURCE, SCRATCH = (pathlib.Path(word) for word in sys.argv[1:4])
DEMO, OTHER = (SOURCE / f"models/demo/demo-{kind}.gguf" for kind in ("dense", "moe"))
STORY = ("Once upon a time, there was a quiet dog named Felix. He lived in a wooden kennel with his family.\n"
         "One dark night, Felix could not sleep. He heard a strange sound near his kennel. \"What is that?\" whispered "
         "Felix. He was afraid and closed his eyes. In the morning, Felix told his friend Mia. Mia was not afraid.\n\n")


def hone(*words, status=0):
    environment = dict(os.environ, XDG_CACHE_HOME=str(SCRATCH / "cache"))
    done = subprocess.run([str(HONE), *map(str, words)], capture_output=True, env=environment, timeout=120)
    err = done.stderr.decode()
    assert done.returncode == status, f"hone {words}: exit {done.returncode}\n{done.stdout.decode()}\n{err}"
    if status:
        told = [line for line in err.splitlines() if line.startswith("hone: ")]
        assert len(told) == 1 and done.stdout == b"", f"hone {words}: not one clear error: {err!r}"
    return done.stdout.decode() if not status else err


def json_of(*words):
    return json.loads(hone(*words, "--json"))


def logits_of(model, ids, *words):
    """log-probabilities [positions][vocabulary]"""
    file = SCRATCH / "logits.npy"
    hone("run", model, "--token-ids", ",".join(map(str, ids)), "--tokens", 0, "--logits", file, *words)
    data = file.read_bytes()
    length = struct.unpack("<H", data[8:10])[0]
    rows, columns = eval(data[10:10 + length].decode(), {})["shape"]  # a literal that hone wrote
    rows = [struct.unpack_from(f"<{columns}f", data, 10 + length + 4 * columns * r) for r in range(rows)]
    sums = [max(row) + math.log(sum(math.exp(x - max(row)) for x in row)) for row in rows]
    return [[x - total for x in row] for row, total in zip(rows, sums)]


def tokens_of(text, *words):
    return json_of("tokenize", DEMO, text, *words)["tokens"]


def close(told, right, relative=2e-4):
    assert abs(told - right) <= relative * abs(right) + 1e-6, (told, right)


def write(name, text):
    path = SCRATCH / name
    path.write_text(text, encoding="utf-8")
    return path


def test_perplexity_is_that_of_the_logits():
    ids = tokens_of(STORY, "--plain")
    begin = [token for token in tokens_of("") if token not in ids[:1]][:1]
    rows = logits_of(DEMO, begin + ids)
    losses = [-rows[i + len(begin) - 1][token] for i, token in enumerate(ids) if i > 0]
    told = json_of("eval", DEMO, write("story.txt", STORY))
    assert told["tokens"] == len(ids) - 1
    close(told["perplexity"], math.exp(sum(losses) / len(losses)))
    assert told["perplexity_error"] > 0
    assert "perplexity" in hone("eval", DEMO, SCRATCH / "story.txt")


def test_windows_overlap_by_half():
    ids = tokens_of(STORY * 3, "--plain")
    begin = tokens_of("")[:1]
    window = 64
    room, losses, next_token = window - len(begin), [], 1
    while next_token < len(ids):
        first = 0 if next_token == 1 else next_token - room // 2
        end = min(first + room, len(ids))
        rows = logits_of(DEMO, begin + ids[first:end], "--deterministic")
        losses += [-rows[i - first + len(begin) - 1][ids[i]] for i in range(next_token, end)]
        next_token = end
    told = json_of("eval", DEMO, write("stories.txt", STORY * 3), "--context", window, "--deterministic")
    assert told["tokens"] == len(losses) == len(ids) - 1
    close(told["perplexity"], math.exp(sum(losses) / len(losses)))
    assert json_of("eval", DEMO, SCRATCH / "stories.txt", "--limit", 50)["tokens"] == 49


def test_distance_from_another_model():
    ids = tokens_of("") [:1] + tokens_of(STORY, "--plain")
    own, other = logits_of(DEMO, ids), logits_of(OTHER, ids)
    rows = range(1, len(ids) - 1)
    distances = sorted(sum(math.exp(q) * (q - p) for p, q in zip(own[r], other[r])) for r in rows)
    same = sum(own[r].index(max(own[r])) == other[r].index(max(other[r])) for r in rows)
    told = json_of("eval", DEMO, write("story.txt", STORY), "--against", OTHER)
    close(told["kl_divergence"], sum(distances) / len(distances), 2e-2)
    close(told["kl_divergence_largest"], distances[-1], 2e-2)
    close(told["kl_divergence_99"], distances[(len(distances) - 1) * 99 // 100], 2e-2)
    close(told["top_token_agreement"], same / len(rows))
    close(told["reference_perplexity"], json_of("eval", OTHER, SCRATCH / "story.txt")["perplexity"])
    itself = json_of("eval", DEMO, SCRATCH / "story.txt", "--against", DEMO)
    assert itself["kl_divergence"] < 1e-9 and itself["top_token_agreement"] == 1
    hone("eval", DEMO, SCRATCH / "story.txt", "--against", SOURCE / "tests/oracle/vectors/models/llama/llama-f32.gguf",
         status=2)


QUESTIONS = [
    {"question": "Once upon a time, there was a", "choices": ["quiet dog", "running the", "Felix named"], "answer": 0},
    {"question": "He was afraid and closed his", "choices": {"text": ["morning", "eyes"], "label": ["1", "2"]},
     "answerKey": "2"},
    {"ctx": "In the morning, Felix told his friend", "endings": [" a strange sound near his kennel.", " Mia."], "label": "B"},
]


def continuation(question, choice):
    whole = question + choice if choice[0] == " " else question + " " + choice
    ids, context = tokens_of(whole), tokens_of(question)
    same = next((i for i, (a, b) in enumerate(zip(ids, context)) if a != b), min(len(ids), len(context)))
    rows = logits_of(DEMO, ids)
    return sum(rows[i - 1][ids[i]] for i in range(same, len(ids)))


def test_choices_are_those_of_the_logits():
    raw = normalised = 0
    for row, right in zip(QUESTIONS, (0, 1, 1)):
        question = row.get("question") or row["ctx"]
        choices = row.get("choices") or row["endings"]
        choices = choices["text"] if isinstance(choices, dict) else choices
        sums = [continuation(question, choice) for choice in choices]
        shares = [total / len(choice) for total, choice in zip(sums, choices)]
        raw += sums.index(max(sums)) == right
        normalised += shares.index(max(shares)) == right
    file = write("questions.jsonl", "\n".join(map(json.dumps, QUESTIONS)) + "\n\n")
    told = json_of("eval", DEMO, file)
    assert told["questions"] == 3 and [pick["answer"] for pick in told["picks"]] == [0, 1, 1]
    close(told["accuracy"], raw / 3)
    close(told["accuracy_normalised"], normalised / 3)
    assert "accuracy" in hone("eval", DEMO, file, "--limit", 1)
    hone("eval", DEMO, file, "--against", OTHER, status=2)


def test_broken_files_are_refused():
    good = json.dumps(QUESTIONS[0])
    for number, line in enumerate((
            "", "{", "[]", "nonsense", '{"question": "a"}', '{"question": "", "choices": ["a", "b"], "answer": 0}',
            '{"question": "a", "choices": ["a"], "answer": 0}', '{"question": "a", "choices": "ab", "answer": 0}',
            '{"question": "a", "choices": ["a", ""], "answer": 0}', '{"question": "a", "choices": ["a", 5], "answer": 0}',
            '{"question": "a", "choices": ["a", "b"], "answer": 2}', '{"question": "a", "choices": ["a", "b"], "answer": -1}',
            '{"question": "a", "choices": ["a", "b"], "answer": "C"}', '{"question": "a", "choices": ["a", "b"]}',
            '{"question": "a", "choices": {"text": ["a", "b"], "label": ["A"]}, "answer": "B"}',
            json.dumps({"question": "a", "choices": ["x"] * 40, "answer": 0}),
            json.dumps({"question": "a " * 9000, "choices": ["x", "y"], "answer": 0}),
            '{"question": "a", "question": "b", "choices": ["a", "b"], "answer": 0}', "[" * 5000)):
        file = write("broken.jsonl", good + "\n" + line + "\n" if line else "\n\n")
        told = hone("eval", DEMO, file, status=3)
        assert "broken.jsonl" in told and (not line or "2" in told), (number, told)
    hone("eval", DEMO, SCRATCH / "absent.txt", status=3)
    hone("eval", DEMO, write("short.txt", "a"), status=2)
    hone("eval", DEMO, status=2)
    hone("eval", write("model.gguf", "GGUF"), SCRATCH / "story.txt", status=3)


def main():
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    failed = 0
    for name, function in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            function()
            print(f"ok      {name[5:]}", flush=True)
        except Exception as error:  # every kind of failure is a failed test
            failed += 1
            print(f"FAILED  {name[5:]}: {type(error).__name__}: {error}", flush=True)
    sys.exit(failed > 0)


main()
