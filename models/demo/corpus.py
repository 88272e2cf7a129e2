"""A seeded grammar of small children's stories, the text it writes and the entropy it has.

Every random decision goes through Teller.choose, which adds -log p of the option taken. The sum over a
story is the information in its derivation, in nats. Text is a function of the derivation, so

    entropy of the text <= entropy of the derivation,

and the entropy of the text is the lowest mean loss any model can have on fresh stories. `--exact N`
goes further: for N held-out stories it finds every derivation that gives the same text and sums their
probabilities, which yields -log p(text) itself and says how loose the bound is.

    python corpus.py OUT --train 20000 --heldout 1000     writes OUT/train.jsonl and OUT/heldout.jsonl
    python corpus.py OUT --exact 50                       exact probabilities of the first held-out stories
"""

import argparse
import functools
import json
import math
import pathlib
import random

import story_plots
from story_words import SYNONYMS, with_article

TRAIN_SEED = 20250101
HELDOUT_SEED = 20250102


class Mismatch(Exception):
    """The story being told has left the text it was to reproduce."""


class NeedsChoice(Exception):
    """A forced derivation ran out of forced choices; carries the probabilities of the options."""

    def __init__(self, probabilities):
        super().__init__()
        self.probabilities = probabilities


@functools.cache
def parse_template(template):
    """Template text -> tuple of parts: str, ("name", key, attributes) or ("any", (parts, ...))."""
    parts, rest = parse_parts(template, 0)
    if rest != len(template):
        raise ValueError(f"stray '{template[rest]}' at {rest} in template: {template}")
    return parts


def parse_parts(text, at):
    parts, literal = [], ""
    while at < len(text) and text[at] not in "|]":
        if text[at] not in "[{":
            literal, at = literal + text[at], at + 1
            continue
        if literal:
            parts.append(literal)
        literal = ""
        part, at = (parse_any if text[at] == "[" else parse_name)(text, at + 1)
        parts.append(part)
    return tuple(parts + [literal] if literal else parts), at


def parse_any(text, at):
    options = []
    while True:
        parts, at = parse_parts(text, at)
        options.append(parts)
        if at >= len(text):
            raise ValueError(f"missing ']' in template: {text}")
        at += 1
        if text[at - 1] == "]":
            return ("any", tuple(options)), at


def parse_name(text, at):
    end = text.index("}", at)
    key, *attributes = text[at:end].split(".")
    return ("name", key, attributes), end + 1


class Teller:
    """Tells one story: draws choices, remembers who and what is in it, and writes the text.

    The choices come from `generator`, or, when `forced` is given, from that list of option numbers;
    then `target` is the text the story must agree with as far as it goes.
    """

    def __init__(self, generator=None, forced=(), target=None):
        self.generator, self.forced, self.target = generator, forced, target
        self.scope, self.text = {}, ""
        self.choice_count, self.nats = 0, 0.0

    def choose(self, options, weights=None):
        total = sum(weights) if weights else len(options)
        probabilities = [weight / total for weight in weights or [1] * len(options)]
        if len(options) == 1:
            return options[0]
        if self.generator is not None:
            index = self.generator.choices(range(len(options)), probabilities)[0]
        elif self.choice_count < len(self.forced):
            index = self.forced[self.choice_count]
        else:
            raise NeedsChoice(probabilities)
        self.choice_count += 1
        self.nats -= math.log(probabilities[index])
        return options[index]

    def say(self, template, separator=" "):
        """Append the sentences of a template: `[a|b]` draws one side, `{key.attribute}` looks
        up who or what was drawn, `{~list}` draws a synonym."""
        before = len(self.text)
        self.expand(parse_template(template), separator if self.text else "")
        if len(self.text) == before:
            raise ValueError(f"empty sentence from template: {template}")

    def say_new_paragraph(self, template):
        self.say(template, "\n")

    def expand(self, parts, separator=""):
        for part in parts:
            if isinstance(part, str):
                self.write(separator + part)
                separator = ""
            elif part[0] == "any":
                chosen = self.choose(part[1])
                self.expand(chosen, separator)
                separator = "" if chosen else separator
            else:
                self.write(separator + self.look_up(part[1], part[2]))
                separator = ""

    def look_up(self, key, attributes):
        if key[0] == "~":
            return self.choose(SYNONYMS[key[1:]])
        word = self.scope[key]
        for name in attributes:
            is_text = isinstance(word, str) and name in "aA"
            word = with_article(word) if is_text else getattr(word, name.lower())
            word = word[0].upper() + word[1:] if name[0].isupper() else word
        return str(word)

    def write(self, text):
        self.text += text
        if self.target is not None and not self.target.startswith(self.text):
            raise Mismatch


def tell_story(generator):
    """One story as text and the nats of its derivation."""
    teller = Teller(generator)
    story_plots.tell(teller)
    return teller.text, teller.nats


def stories(seed, count):
    generator = random.Random(seed)
    return [tell_story(generator) for _ in range(count)]


def exact_nats(text):
    """(-log p(text), number of derivations): every derivation that writes the text, found depth first."""
    pending, probability, derivations = [()], 0.0, 0
    while pending:
        forced = pending.pop()
        teller = Teller(forced=forced, target=text)
        try:
            story_plots.tell(teller)
        except Mismatch:
            continue
        except NeedsChoice as need:
            pending.extend(forced + (index,) for index, p in enumerate(need.probabilities) if p > 0)
            continue
        if teller.text == text:
            probability, derivations = probability + math.exp(-teller.nats), derivations + 1
    return -math.log(probability), derivations


def write_stories(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        for text, nats in rows:
            file.write(json.dumps({"text": text, "nats": round(nats, 6)}) + "\n")


def read_stories(path):
    """Rows {"text", "nats"} as written by write_stories."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def describe(name, rows):
    byte_count = sum(len(row[0].encode()) for row in rows)
    nats = sum(row[1] for row in rows)
    print(f"{name}: {len(rows)} stories, {byte_count} bytes, derivation {nats / len(rows):.3f} nats per story, "
          f"{nats / byte_count:.5f} nats per byte")


def print_exact(rows):
    bound = exact = 0.0
    ambiguous = 0
    for text, nats in rows:
        text_nats, derivations = exact_nats(text)
        bound, exact, ambiguous = bound + nats, exact + text_nats, ambiguous + (derivations > 1)
    print(f"exact over {len(rows)} stories: derivation {bound / len(rows):.4f}, text {exact / len(rows):.4f} nats "
          f"per story; {ambiguous} stories have more than one derivation")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--train", type=int, default=20000)
    parser.add_argument("--heldout", type=int, default=1000)
    parser.add_argument("--exact", type=int, default=0)
    arguments = parser.parse_args()
    heldout = stories(HELDOUT_SEED, arguments.heldout)
    if arguments.exact:
        print_exact(heldout[:arguments.exact])
        return
    train = stories(TRAIN_SEED, arguments.train)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", train), ("heldout", heldout)):
        write_stories(arguments.out / f"{name}.jsonl", rows)
        describe(name, rows)
    seen = {text for text, _ in train}
    print(f"heldout stories that also occur in train: {sum(text in seen for text, _ in heldout)}")


if __name__ == "__main__":
    main()
