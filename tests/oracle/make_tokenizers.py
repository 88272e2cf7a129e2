"""Write reference vocabularies and what the reference tokenizers make of a thousand strings.

usage: make_tokenizers.py --seed S --out DIR

DIR gets strings.json and, for each kind, KIND.gguf (a vocabulary without tensors) and KIND.json (token ids),
and for byte-level kinds a folder KIND with tokenizer.json and config.json.
README.md beside this script explains the format.
"""

import argparse
import json
import os
import pathlib
import random

os.environ["TOKENIZERS_PARALLELISM"] = "false"   # one order of counting, so one vocabulary per seed

import sentencepiece
import tokenizers

import oracle_vocabulary as vocabulary
from oracle_corpus import Writer, test_strings, training_lines

TRAINING_LINES = 1500
GENERATED_STRINGS = 1000


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def describe(kind, seed, package, strings, ids, decoded):
    """decoded: null where decoding gives the string back."""
    return dict(format=1, kind=kind, seed=seed, made_by=f"{package.__name__} {package.__version__}",
                gguf=f"{kind}.gguf", ids=ids,
                decoded=[None if text == back else back for text, back in zip(strings, decoded)])


def make_byte_level(kind, lines, words, strings, out, seed):
    tokens, merges = vocabulary.train_byte_level(kind, lines)
    if kind == "llama-bpe":
        vocabulary.add_whole_tokens(tokens, merges, words)
    vocabulary.write_byte_level(out / f"{kind}.gguf", kind, tokens, merges)
    plain = vocabulary.make_byte_level(kind, tokens, merges)
    special = vocabulary.make_byte_level(kind, tokens, merges, special=True)
    ids = [plain.encode(text, add_special_tokens=False).ids for text in strings]
    parsed = [special.encode(text, add_special_tokens=False).ids for text in strings]
    vocabulary.write_folder(out / kind, kind, special)
    record = describe(kind, seed, tokenizers, strings, ids, [plain.decode(row) for row in ids])
    record["parsed"] = {str(i): row for i, row in enumerate(parsed) if row != ids[i]}
    write_json(out / f"{kind}.json", record)
    return ids


def make_sentencepiece(lines, strings, out, seed):
    processor = vocabulary.train_sentencepiece(lines)
    vocabulary.write_sentencepiece(out / "sentencepiece.gguf", processor)
    ids = [processor.encode(text) for text in strings]
    decoded = [processor.decode(row) for row in ids]
    special = vocabulary.write_sentencepiece_folder(out / "sentencepiece", processor)
    parsed = [special.encode(text, add_special_tokens=False).ids for text in strings]
    record = describe("sentencepiece", seed, sentencepiece, strings, ids, decoded)
    record["parsed"] = {str(i): row for i, row in enumerate(parsed) if row != ids[i]}
    write_json(out / "sentencepiece.json", record)
    return ids


def print_summary(kind, ids):
    flat = [token for row in ids for token in row]
    print(f"{kind:20} {len(ids)} strings, {len(flat)} tokens, {len(set(flat))} distinct,"
          f" longest {max(map(len, ids))}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    writer = Writer(random.Random(arguments.seed))
    lines = list(training_lines(writer, TRAINING_LINES))
    strings = test_strings(writer, GENERATED_STRINGS)
    write_json(arguments.out / "strings.json", strings)
    for kind in vocabulary.BYTE_LEVEL:
        print_summary(kind, make_byte_level(kind, lines, writer.words, strings, arguments.out, arguments.seed))
    print_summary("sentencepiece", make_sentencepiece(lines, strings, arguments.out, arguments.seed))


if __name__ == "__main__":
    main()
