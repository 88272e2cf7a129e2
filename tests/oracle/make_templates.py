"""Write what python's jinja2, set up as transformers does it, makes of chat templates.

usage: make_templates.py --seed S --out DIR [--real DIR]

DIR gets templates.json: the variables, for each template of tests/oracle/templates its outputs by conversation, and small
generated templates with theirs.  null stands for a refusal.  --real names a folder of models' own templates, which are copied
to DIR with their outputs: *.jinja, tokenizer_config.json, and lists of models in JSON with "chat_template", as packages have.
"""

import argparse
import datetime
import json
import os
import pathlib
import random
import time

os.environ["TZ"] = "UTC"
time.tzset()

from transformers.utils import chat_template_utils

from oracle_conversations import conversations
from oracle_template_generator import VARIABLES, Generator

HERE = pathlib.Path(__file__).parent / "templates"
NOW = 1750000000
GENERATED, GENERATED_REFUSED = 700, 60
OUTPUT_MAX = 400
# What these print differs between runs, or is no text of a conversation.
UNSTABLE = ("Markup(", "<generator", "<built-in", "object at", "<function", "<Macro", "<bound method", "<class", "<itertools", "range(", "reverseiterator")


def render(source, variables):
    """The output, or None where jinja2 or Python refuses."""
    try:
        template = chat_template_utils._cached_compile_jinja_template(source)
        template.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(NOW).strftime(form)
        return template.render(**json.loads(json.dumps(variables)))
    except Exception:
        return None


def render_all(templates):
    talks = conversations()
    return [dict(name=name, template=source, outputs={talk: render(source, variables) for talk, variables in talks.items()})
            for name, source in templates.items()]


def own_templates():
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.jinja"))}


def real_templates(folder):
    """name -> text of all templates in a folder, each once"""
    found = {path.read_text(encoding="utf-8"): path.stem for path in sorted(folder.rglob("*.jinja"))}
    for path in sorted(folder.rglob("*.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        for entry in document if isinstance(document, list) else [document]:
            text = entry.get("chat_template") if isinstance(entry, dict) else None
            if isinstance(text, str) and "{" in text:
                found.setdefault(text, entry.get("model_name") or path.parent.name)
    return {f"{name} {number}": text for number, (text, name) in enumerate(found.items())}


def generate(source):
    generator = Generator(source)
    accepted, refused = {}, {}
    while len(accepted) < GENERATED or len(refused) < GENERATED_REFUSED:
        template = generator.template()
        output = render(template, VARIABLES)
        if output is None and len(refused) < GENERATED_REFUSED:
            refused[template] = None
        if output is None or len(accepted) == GENERATED or len(output) > OUTPUT_MAX or any(word in output for word in UNSTABLE) or template in accepted:
            continue
        accepted[template] = output
    return [*accepted.items(), *refused.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--real", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    families = render_all({**own_templates(), **(real_templates(arguments.real) if arguments.real else {})})
    record = dict(format=1, seed=arguments.seed, now=NOW, variables=VARIABLES, conversations=conversations(),
                  families=families, generated=generate(random.Random(arguments.seed)))
    (arguments.out / "templates.json").write_text(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    outputs = [text for family in families for text in family["outputs"].values()]
    print(f"{len(families)} templates, {len(outputs)} renderings ({outputs.count(None)} refused), {len(record['generated'])} generated")


if __name__ == "__main__":
    main()
