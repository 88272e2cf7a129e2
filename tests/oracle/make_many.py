"""Write what the reference tokenizers make of 10,000 strings per kind, as hashes of a hundred strings each.

usage: make_many.py --seed S --out DIR

The strings are put together from fragments by a generator of integers, in C and in Python alike, so that only fragments
and hashes are kept. DIR is that of make_tokenizers.py; it gets many.json, and the vocabularies that are there for this alone:
deepseek-v3, gpt-4o and gemma as folders, unigram and unigram-bytes as folders and as GGUF.
"""

import argparse
import io
import json
import os
import pathlib
import random
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import gguf
import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

import oracle_corpus as corpus
import oracle_vocabulary as vocabulary
from make_tokenizers import TRAINING_LINES

STRINGS, PER_HASH, SHOWN = 10000, 100, 25
MASK = 2**64 - 1

O200K_LETTERS = r"[^\r\n\p{L}\p{N}]?"
O200K_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
GPT4O_PATTERN = (f"{O200K_LETTERS}{UPPER}*{LOWER}+{O200K_ENDING}|{O200K_LETTERS}{UPPER}+{LOWER}*{O200K_ENDING}"
                 r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK_PATTERN = (r"[!" '"' r"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
                    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def in_stages(*patterns):
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    return pre_tokenizers.Sequence([*splits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


vocabulary.BYTE_LEVEL.update({
    "deepseek-v3": (in_stages(r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK_PATTERN), None, 420,
                    ["<|begin|>", "<|end|>"], ("<|begin|>", "<|end|>"), True),
    "gpt-4o": (in_stages(GPT4O_PATTERN), None, 420, ["<|endoftext|>", "<|return|>"],
               ("<|endoftext|>", "<|return|>"), False),
})


def collect_fragments(writer):
    """Pieces of strings, without U+0000."""
    words = [writer.word() for _ in range(90)] + [writer.script_word() for _ in range(90)]
    blanks = [writer.blank() for _ in range(12)] + [" "] * 60 + ["  ", "\n", "\u3000"]
    lists = (corpus.EMOJI, corpus.CONTRACTIONS, corpus.SPACES, corpus.NUMERALS, corpus.UNNORMALISED, corpus.SPECIALS,
             corpus.CODE[5:], [edge for edge in corpus.EDGES if edge and "\0" not in edge])
    return words + blanks + [writer.digits() for _ in range(15)] + [writer.marked() for _ in range(15)] + [text for row in lists for text in row]


def draw(state):
    """The next state and number, as splitmix64 has them."""
    state = (state + 0x9e3779b97f4a7c15) & MASK
    mixed = ((state ^ state >> 30) * 0xbf58476d1ce4e5b9) & MASK
    mixed = ((mixed ^ mixed >> 27) * 0x94d049bb133111eb) & MASK
    return state, mixed ^ mixed >> 31


def make_string(fragments, seed, index):
    state, number = draw(seed * 1000003 + index)
    parts = []
    for _ in range(1 + number % 14):
        state, number = draw(state)
        parts.append(fragments[number % len(fragments)])
    return "".join(parts)


def hash_ids(rows):
    """FNV-1a of 64 bits over the ids as 4 bytes, least first, each string closed by ffffffff."""
    value = 0xcbf29ce484222325
    for row in rows:
        for token in [*row, 0xffffffff]:
            for byte in token.to_bytes(4, "little"):
                value = ((value ^ byte) * 0x100000001b3) & MASK
    return f"{value:016x}"


def record(file, folder, special, made_by, rows):
    return dict(file=file, folder=folder, special=special, made_by=made_by, ids=rows[:SHOWN],
                hashes=[hash_ids(rows[i:i + PER_HASH]) for i in range(0, len(rows), PER_HASH)])


def from_tokenizers(file, tokenizer, strings, special=True):
    rows = [row.ids for row in tokenizer.encode_batch(strings, add_special_tokens=False)]
    return record(file, True, special, f"tokenizers {tokenizers.__version__}", rows)


def from_sentencepiece(file, processor, strings):
    return record(file, False, False, f"sentencepiece {sentencepiece.__version__}", [processor.encode(text) for text in strings])


def write_tokenizer(folder, tokenizer, bos, eos):
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str() + "\n", encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(dict(model_type="llama", bos_token_id=bos, eos_token_id=eos)) + "\n")


def make_gemma(folder, processor):
    """SentencePiece's BPE as Gemma has it: nothing in front, line ends as tokens of their own, one that swallows spaces."""
    pieces = {processor.id_to_piece(token): token for token in range(processor.get_piece_size())}
    merges = [row for piece, token in pieces.items()
              if vocabulary.sentencepiece_type(processor, token) == gguf.TokenType.NORMAL
              for row in vocabulary.fall_into(piece, pieces, processor.get_score(token))]
    merges = [pair for _, pair in sorted(merges, key=lambda row: -row[0])]
    tokenizer = Tokenizer(models.BPE(pieces, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>")])
    tokenizer.add_tokens([AddedToken("\n\n", normalized=False), AddedToken("\n\n\n", normalized=False),
                          AddedToken("<|im_end|>", normalized=False, rstrip=True, lstrip=True),
                          AddedToken("the", normalized=False, single_word=True)])
    write_tokenizer(folder, tokenizer, 1, 2)
    return tokenizer


RULES = {"Ａ": "A", "ﬁ": "fi", "\u3000": " ", "\u00a0": " ", "\t": " ", "\n": " ", "\r": " ", "½": "1⁄2", "①": "1", "e\u0301": "é", "\u200b": " ",
         "\ufeff": "", "Ⅷ": "VIII", "²": "2", "ﷺ": "x y", "\u200d": " "}


def train_unigram(lines, plain):
    """plain: no change of characters, bytes where there is no token. Else a small map of characters, and spaces squeezed."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as rules:
        for before, after in RULES.items():
            rules.write(" ".join(f"{ord(c):X}" for c in before) + "\t" + " ".join(f"{ord(c):X}" for c in after) + "\n")
        rules.flush()
        model = io.BytesIO()
        options = dict(normalization_rule_name="identity", byte_fallback=True, remove_extra_whitespaces=False) if plain else \
            dict(normalization_rule_tsv=rules.name, remove_extra_whitespaces=True)
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, model_type="unigram",
                                                 vocab_size=700, character_coverage=0.98, num_threads=1, minloglevel=2, **options)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()), model.getvalue()


def fields_of(message):
    """(number, bytes) of the fields with a length in a protocol buffer's message; the others are stepped over."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 2:
            length = varint()
            yield key >> 3, message[at:at + length]
            at += length
        elif key & 7 == 0:
            varint()
        else:
            at += {1: 8, 5: 4}[key & 7]


def charsmap_of(model):
    """precompiled_charsmap (2) of normalizer_spec (3)"""
    normalizer, = [body for number, body in fields_of(model) if number == 3]
    return b"".join(body for number, body in fields_of(normalizer) if number == 2)


def make_unigram(out, name, processor, charsmap, plain):
    ids = range(processor.get_piece_size())
    writer = vocabulary.start_writer(name, "llama")
    writer.add_tokenizer_model("t5")
    writer.add_token_list([processor.id_to_piece(token) for token in ids])
    writer.add_token_scores([processor.get_score(token) for token in ids])
    writer.add_token_types([vocabulary.sentencepiece_type(processor, token) for token in ids])
    writer.add_bos_token_id(processor.bos_id())
    writer.add_eos_token_id(processor.eos_id())
    writer.add_unk_token_id(processor.unk_id())
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(True)
    writer.add_remove_extra_whitespaces(not plain)
    if charsmap:
        writer.add_precompiled_charsmap(charsmap)
    vocabulary.finish_writer(writer, out / f"{name}.gguf")
    rows = [(processor.id_to_piece(token), processor.get_score(token)) for token in ids]
    tokenizer = Tokenizer(models.Unigram(rows, unk_id=processor.unk_id(), byte_fallback=plain))
    steps = [normalizers.Precompiled(charsmap)] if charsmap else []
    if not plain:
        steps += [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip(left=False, right=True),
                  normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first" if plain else "always", split=not plain)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>")])
    write_tokenizer(out / name, tokenizer, processor.bos_id(), processor.eos_id())
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    out = arguments.out
    writer = corpus.Writer(random.Random(arguments.seed))
    lines = list(corpus.training_lines(writer, TRAINING_LINES))
    fragments = collect_fragments(writer)
    strings = [make_string(fragments, arguments.seed, index) for index in range(STRINGS)]
    kinds = []
    for kind in ("gpt-2", "llama-bpe", "qwen2", "sentencepiece"):
        kinds.append(from_tokenizers(kind, Tokenizer.from_file(str(out / kind / "tokenizer.json")), strings))
    for kind in ("deepseek-v3", "gpt-4o"):
        tokens, merges = vocabulary.train_byte_level(kind, lines)
        tokenizer = vocabulary.make_byte_level(kind, tokens, merges, special=True)
        vocabulary.write_folder(out / kind, kind, tokenizer)
        kinds.append(from_tokenizers(kind, tokenizer, strings))
    processor = vocabulary.train_sentencepiece(lines)
    kinds.append(from_sentencepiece("sentencepiece.gguf", processor, strings))
    kinds.append(from_tokenizers("gemma", make_gemma(out / "gemma", processor), strings))
    for name, plain in (("unigram", False), ("unigram-bytes", True)):
        processor, model = train_unigram(lines, plain)
        kinds.append(from_sentencepiece(f"{name}.gguf", processor, strings))
        kinds.append(from_tokenizers(name, make_unigram(out, name, processor, charsmap_of(model), plain), strings))
    document = dict(format=1, seed=arguments.seed, strings=STRINGS, per_hash=PER_HASH, fragments=fragments, kinds=kinds)
    (out / "many.json").write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{STRINGS} strings for each of {len(kinds)} kinds, {sum(map(len, strings)) / STRINGS:.0f} characters in the middle")


if __name__ == "__main__":
    main()
