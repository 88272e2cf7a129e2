"""Train small reference tokenizers and write each as a GGUF file that holds a vocabulary and no tensors.

The byte-level kinds use the normaliser, pattern and options of the published tokenizer.json files: GPT-2, Llama 3
(ignore_merges: a piece that is a token as a whole is taken as it is) and Qwen2 (normalisation form C). The
SentencePiece kind uses Llama 2's options: byte fallback, a space in front, no normalisation, single digits.
"""

import io
import json

import gguf
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                  r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2_PATTERN = LLAMA3_PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")
WHOLE_TOKENS = 40           # tokens of llama-bpe that no merge makes, as Llama 3's vocabulary has many


def by_pattern(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


# name -> pre-tokenizer, normaliser, merged tokens, special tokens, (bos, eos), whether bos is added
BYTE_LEVEL = {
    "gpt-2": (pre_tokenizers.ByteLevel(add_prefix_space=False), None, 640,
              ["<|endoftext|>"], ("<|endoftext|>", "<|endoftext|>"), False),
    "llama-bpe": (by_pattern(LLAMA3_PATTERN), None, 800,
                  ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"],
                  ("<|begin_of_text|>", "<|end_of_text|>"), True),
    "qwen2": (by_pattern(QWEN2_PATTERN), normalizers.NFC(), 720,
              ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ("<|endoftext|>", "<|im_end|>"), False),
}
ARCHITECTURES = {"gpt-2": "gpt2", "llama-bpe": "llama", "qwen2": "qwen2"}


def train_byte_level(kind, lines):
    """The vocabulary (text -> id) and the merges of one kind, without special tokens."""
    pre_tokenizer, normalizer, size = BYTE_LEVEL[kind][:3]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def make_byte_level(kind, vocabulary, merges, special=False):
    pre_tokenizer, normalizer, _, specials = BYTE_LEVEL[kind][:4]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=kind == "llama-bpe"))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    if special:
        tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in specials])
    return tokenizer


def fall_into(piece, vocabulary, score):
    """All pairs of tokens that make a token, as transformers derives merges from SentencePiece's scores."""
    pairs = [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))]
    known = [(left, right) for left, right in pairs if left in vocabulary and right in vocabulary]
    return [(score, pair) for pair in sorted(known, key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))]


def write_sentencepiece_folder(folder, processor):
    """The same vocabulary as transformers converts it. Returns the tokenizer."""
    vocabulary = {processor.id_to_piece(token): token for token in range(processor.get_piece_size())}
    merges = [row for piece, token in vocabulary.items() if sentencepiece_type(processor, token) == gguf.TokenType.NORMAL
              for row in fall_into(piece, vocabulary, processor.get_score(token))]
    merges = [pair for _, pair in sorted(merges, key=lambda row: -row[0])]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    specials = ("<unk>", "<s>", "</s>")
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in specials])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str() + "\n", encoding="utf-8")
    (folder / "config.json").write_text(json.dumps(dict(model_type="llama", bos_token_id=1, eos_token_id=2)) + "\n")
    return tokenizer


def write_folder(folder, kind, tokenizer):
    """What a Hugging Face folder has of the tokenizer: tokenizer.json, and the ids in config.json."""
    bos, eos = BYTE_LEVEL[kind][4]
    if BYTE_LEVEL[kind][5]:
        tokenizer.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))])])
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(tokenizer.to_str() + "\n", encoding="utf-8")
    ids = dict(bos_token_id=tokenizer.token_to_id(bos), eos_token_id=[tokenizer.token_to_id(eos)])
    (folder / "config.json").write_text(json.dumps(dict(model_type="llama", **ids)) + "\n")


def add_whole_tokens(vocabulary, merges, words):
    """Append words, with the space before them, that are more than one token so far."""
    plain = make_byte_level("llama-bpe", vocabulary, merges)
    split = [word for word in dict.fromkeys(words) if len(plain.encode(" " + word).ids) > 1]
    for word in split[:WHOLE_TOKENS]:
        vocabulary["Ġ" + word] = len(vocabulary)


def start_writer(path_kind, architecture):
    writer = gguf.GGUFWriter(None, architecture)
    writer.add_type("model")
    writer.add_name(f"vocabulary {path_kind}")
    return writer


def finish_writer(writer, path):
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.close()


def write_byte_level(path, kind, vocabulary, merges):
    specials, (bos, eos), add_bos = BYTE_LEVEL[kind][3:]
    tokens = sorted(vocabulary, key=vocabulary.get) + specials
    writer = start_writer(kind, ARCHITECTURES[kind])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(kind)
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(vocabulary) + [gguf.TokenType.CONTROL] * len(specials))
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(tokens.index(bos))
    writer.add_eos_token_id(tokens.index(eos))
    writer.add_add_bos_token(add_bos)
    finish_writer(writer, path)


def train_sentencepiece(lines):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, model_type="bpe", vocab_size=900, byte_fallback=True,
        character_coverage=0.98, normalization_rule_name="identity", add_dummy_prefix=True,
        remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, split_digits=True, num_threads=1,
        minloglevel=2)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def sentencepiece_type(processor, token):
    if processor.is_unknown(token):
        return gguf.TokenType.UNKNOWN
    if processor.is_control(token):
        return gguf.TokenType.CONTROL
    if processor.is_unused(token):
        return gguf.TokenType.UNUSED
    return gguf.TokenType.BYTE if processor.is_byte(token) else gguf.TokenType.NORMAL


def write_sentencepiece(path, processor):
    ids = range(processor.get_piece_size())
    writer = start_writer("sentencepiece", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([processor.id_to_piece(token) for token in ids])
    writer.add_token_scores([processor.get_score(token) for token in ids])
    writer.add_token_types([sentencepiece_type(processor, token) for token in ids])
    writer.add_bos_token_id(processor.bos_id())
    writer.add_eos_token_id(processor.eos_id())
    writer.add_unk_token_id(processor.unk_id())
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(True)
    finish_writer(writer, path)
