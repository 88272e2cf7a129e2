"""Generated text: a corpus to train vocabularies on, and strings that tokenizers stumble over.

Everything follows from one seeded generator. Characters are of Unicode 9 or older, so that property tables of
any age agree about them, except where a string is there because tables differ (EDGES).
"""

import itertools

ONSETS = "b d f g h k l m n p r s t v w st tr sh th".split()
SYLLABLES = [onset + rime for onset in ONSETS for rime in "a e i o u ai er on".split()]

# Characters of each script from which random words are put together.
SCRIPTS = {
    "latin": "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœšžğışłđ",
    "greek": "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώ",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїґ",
    "hebrew": "אבגדהוזחטיכלמנסעפצקרשתםןץ",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهويةىءَُِّْ",
    "devanagari": "अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशषसहािीुूेैोौं्",
    "thai": "กขคงจชซดตถทนบปผพฟมยรลวสหออะาิีึืุูเแโใไ่้์",
    "hangul": "가각간나다라마바사아자차카타파하한국말글서울",
    "kana": "あいうえおかきくけこさしすせそたちつてとアイウエオカキクケコガギグパピプー",
    "han": "的一是不了人我在有他这中大来上国和地到以說時要就出會可也你對生能而子那得於着下自之年過",
    "astral": "𝐀𝐁𝐜𝐝𝟎𝟏𐌰𐌱𐌲𐌳𠀀𠀁𠀂𝒳𝓎",
}
# Ranges without a gap since Unicode 5.
OLD_RANGES = [(0x20, 0x7e), (0xa1, 0x24f), (0x250, 0x36f), (0x410, 0x44f), (0x2010, 0x2027), (0x2030, 0x205e),
              (0x2190, 0x23e7), (0x2500, 0x269c), (0x3041, 0x3096), (0x30a1, 0x30fa), (0x4e00, 0x9fa5),
              (0xac00, 0xd7a3), (0xff01, 0xffbe), (0x1d400, 0x1d454), (0x20000, 0x2a6d6)]
MARKS = "\u0300\u0301\u0302\u0303\u0308\u030a\u0323\u0327\u0328\u0345\u20dd\u3099"
# Characters that normalisation form C changes, beside letters followed by marks.
UNNORMALISED = ["\u212b", "\u2126", "\u1e0b\u0323", "\u1112\u1161\u11ab", "\uf900", "\ufb1d", "\u0344", "か\u3099"]
EMOJI = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇯🇵", "❤️", "☠", "1️⃣", "👩🏿‍🚀", "🤷‍♂️", "✨", "🎉🎉🎉"]
NUMERALS = ["٣٤٥", "१२३", "Ⅷ", "½", "²³", "①", "〇", "𝟘𝟙", "１２３", "௧௨"]
SPACES = ["\u00a0", "\u1680", "\u2003", "\u2009", "\u200b", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000",
          "\u0085", "\v", "\f", "\x1c", "\x1f", "\ufeff", "\u2060"]
CONTRACTIONS = ["don't", "I'm", "we'll", "they've", "he'd", "she's", "you're", "DON'T", "I'M", "WE'LL", "It'S",
                "o'Reilly", "'tis", "rock'n'roll", "it’s", "'s", "''s", "x'\u017f", "'ll'll", " 've", "d'd'D"]
SPECIALS = ["<|endoftext|>", "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>",
            "<s>", "</s>", "<unk>", "<0x0A>", "<|"]
CODE = ["for (int i = 0; i < n; ++i) {\n    sum += x[i];\n}\n", "def f(a, b=None):\n\treturn a if b else -1\n",
        "{\"key\": [1, 2.5e-3, null]}", "https://example.org/a?b=c&d=%20#e", "C:\\dir\\file.txt", "a->b::c<T*>();",
        "SELECT * FROM t WHERE x >= 10;", "#include <stdio.h>\r\n\r\nint main(void)\r\n", "x=+-*/%^&|~!@#$;:,.?",
        "-----", "====>", "...", "___init___", "\"'\"'\"", "($)(€)[£]"]
# One string each: borders of the patterns, of UTF-8, and of property tables.
EDGES = ["", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r", "\t", "\t\t", " \n", "\n ", " \n ", "  \n  x", "a ",
         " a", "  a", "a  ", "a\n", "a \n b", "a\n\n\nb", "a\r\n\r\n b", ".\n", ".\n\n", "!\r\n", " .\n", "a.b",
         "a .b", "a. b", "1 2", "1  2", "12 345", "1.5", "1,000,000", "a1b2", "1a", "a1", "_a", "-a", "\u00a0a",
         "a\u00a0", "\u3000あ", "\x00", "a\x00b", "\x01\x02\x03", "\x7f", "\u0080\u0081", "\u0085", "\u0085a",
         " \u0085 ", "\u180e", "a\u180eb", "\u180ea", "\u200b", "\u200ba", "\u2028a", "a\u2029", "\ufeff",
         "\ufeffa", "\ufffd", "\ufffd\ufffd", "\ufffe", "\uffff", "\ue000", "\uf8ff", "\U0010ffff",
         "\U0001fffe", "\U00010000", "\ud7ff", "\u07ff\u0800", "\u007f\u0080", "\u0301", " \u0301", "a\u0301",
         "\u0301a", "e\u0301\u0301\u0301", "\u0301\u0301", "\u200d", "a\u200db", "▁", "▁▁a", "a▁b", " ▁ ", "Ġ",
         "Ġa", "Ċ", "İ", "ı", "ß", "ẞ", "ǅ", "ﬁ", "ﷺ", "ſ", "K", "'ſ", "'S", "'Ll", "'vE", "' s", "’s",
         "\u1e9b\u0323", "\u0958", "\u2adc", "\U0001d15e", "\u3131", "ᄀ", "각", "가\u11a8", "𓀀",
         "🏴\U000e0067\U000e0062\U000e007f", "\u1f71", "\u0340", "¹", "Ⅷ7", "½1", "१1", "٣a", "a²", "🅰", "ªº",
         "ˀ", "々", "ー", "〻", "ﾞ", "ａＢ", "ⓐ", "０9"]


class Writer:
    """Writes text from a random.Random: the same generator state gives the same text."""

    def __init__(self, random):
        self.random = random
        self.words = ["".join(random.choices(SYLLABLES, k=random.randint(1, 4))) for _ in range(400)]
        self.frequencies = list(itertools.accumulate(1.0 / (rank + 3) for rank in range(len(self.words))))

    def word(self):
        word = self.random.choices(self.words, cum_weights=self.frequencies)[0]
        return self.random.choices((word, word.capitalize(), word.upper()), (8, 2, 1))[0]

    def script_word(self, script=None):
        letters = SCRIPTS[script or self.random.choice(sorted(SCRIPTS))]
        return "".join(self.random.choices(letters, k=self.random.randint(1, 7)))

    def digits(self):
        return "".join(self.random.choices("0123456789", k=self.random.randint(1, 12)))

    def blank(self):
        kinds = (" " * self.random.randint(1, 9), "\t" * self.random.randint(1, 4),
                 "\n" * self.random.randint(1, 4), "\r\n" * self.random.randint(1, 2),
                 " \n", "\n    ", "\t ", " \t\n ")
        return self.random.choice(kinds)

    def marked(self):
        """Letters under more combining marks than anyone needs, in any order."""
        letters = self.random.choices("aeiounscAEOкиあ", k=self.random.randint(1, 4))
        counts = [self.random.randint(0, 3) for _ in letters]
        return "".join(letter + "".join(self.random.choices(MARKS, k=count)) for letter, count in zip(letters, counts))

    def control(self):
        return "".join(chr(self.random.choice([*range(0, 32), 127, *range(128, 160)])) for _ in range(3))

    def any_character(self):
        return chr(self.random.randint(*self.random.choice(OLD_RANGES)))

    def long_word(self, longest):
        if self.random.random() < 0.5:
            return self.random.choice("aA1.é字 ") * self.random.randint(longest // 4, longest)
        return "".join(self.random.choices(SYLLABLES, k=self.random.randint(longest // 6, longest // 3)))

    def sentence(self):
        words = [self.word() for _ in range(self.random.randint(3, 9))]
        if self.random.random() < 0.3:
            words.insert(self.random.randrange(len(words)), self.random.choice(CONTRACTIONS))
        return " ".join(words) + self.random.choice([".", "!", "?", ";", ",\n", ".\n"])

    def piece(self):
        choices = ((self.sentence, 5), (self.script_word, 8), (self.digits, 5), (self.blank, 6), (self.marked, 4),
                   (self.word, 8), (self.control, 1), (self.any_character, 1),
                   (lambda: self.random.choice(CONTRACTIONS), 4), (lambda: self.random.choice(EMOJI), 4),
                   (lambda: self.random.choice(NUMERALS), 2), (lambda: self.random.choice(SPACES), 2),
                   (lambda: self.random.choice(CODE), 2), (lambda: self.random.choice(SPECIALS), 2),
                   (lambda: self.random.choice(UNNORMALISED), 2), (lambda: self.random.choice(EDGES), 2))
        write, = self.random.choices([write for write, _ in choices], [weight for _, weight in choices])
        return write()

    def string(self):
        """A few pieces side by side, with and without a space between them."""
        text = self.piece()
        for _ in range(self.random.choice((0, 1, 1, 2, 2, 3, 4))):
            text += self.random.choice(("", "", " ")) + self.piece()
        return text


def training_lines(writer, lines):
    """Mostly sentences, with enough of everything else that its characters are worth tokens."""
    for _ in range(lines):
        yield " ".join(writer.sentence() for _ in range(3)).replace("\n", "\n" + writer.blank())
        scripts = " ".join(writer.script_word() for _ in range(4))
        yield f"{scripts} {writer.digits()} {writer.random.choice(CODE)} {writer.random.choice(CONTRACTIONS)}"


def test_strings(writer, generated):
    """Every fixed string once, a few very long words, and `generated` random strings."""
    strings = EDGES + CONTRACTIONS + CODE + SPECIALS + EMOJI + NUMERALS + SPACES + UNNORMALISED
    strings = list(dict.fromkeys(strings))
    strings += [writer.long_word(120) for _ in range(12)] + [writer.long_word(1500)]
    return strings + [writer.string() for _ in range(generated)]
