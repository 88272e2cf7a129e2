"""How well a model of the small stories does: held-out loss beside the corpus's own entropy, and samples.

The loss is the mean of -log p over the tokens of a story and its end token, each story alone behind the
begin token, so a model sees exactly what the grammar's probabilities are about and the two are comparable.

    python evaluate.py OUT dense            OUT holds heldout.jsonl, tokenizer.json and the model folder
"""

import argparse
import math
import pathlib

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

import corpus

BEGIN, END = "<|begin|>", "<|end|>"
SAMPLE_SEED = 7


def story_ids(tokenizer, text):
    """Token ids of a whole story with its begin and end tokens."""
    return [tokenizer.token_to_id(BEGIN), *tokenizer.encode(text).ids, tokenizer.token_to_id(END)]


@torch.no_grad()
def heldout_nats(model, tokenizer, texts, batch_size=16):
    """Sum of -log p and number of predicted tokens over `texts`."""
    rows = sorted((story_ids(tokenizer, text) for text in texts), key=len)
    nats, tokens = 0.0, 0
    for start in range(0, len(rows), batch_size):
        batch = rows[start:start + batch_size]
        longest = len(batch[-1])
        ids = torch.tensor([row + [row[-1]] * (longest - len(row)) for row in batch])
        targets = torch.tensor([row[1:] + [-100] * (longest - len(row)) for row in batch])
        logits = model(input_ids=ids).logits[:, :-1].float()
        nats += torch.nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), reduction="sum").item()
        tokens += sum(len(row) - 1 for row in batch)
    return nats, tokens


def report(model, tokenizer, rows):
    """Held-out figures of a model as a dictionary; `rows` as read by corpus.read_stories."""
    nats, tokens = heldout_nats(model, tokenizer, [row["text"] for row in rows])
    grammar = sum(row["nats"] for row in rows)
    return {"stories": len(rows), "tokens": tokens, "loss": nats / tokens, "perplexity": math.exp(nats / tokens),
            "entropy": grammar / tokens, "entropy_perplexity": math.exp(grammar / tokens),
            "excess_nats_per_story": (nats - grammar) / len(rows)}


@torch.no_grad()
def sample(model, tokenizer, prompt, temperature, length=400):
    """A story that begins with `prompt`; temperature 0 is greedy."""
    ids = torch.tensor([story_ids(tokenizer, prompt)[:-1]])
    drawing = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    end = tokenizer.token_to_id(END)
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=length, eos_token_id=end,
                         pad_token_id=end, **drawing)
    return tokenizer.decode(out[0].tolist())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("kind", choices=("dense", "moe"))
    parser.add_argument("--stories", type=int, default=200)
    parser.add_argument("--samples", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SAMPLE_SEED)
    tokenizer = Tokenizer.from_file(str(arguments.out / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(arguments.out / arguments.kind).eval()
    rows = corpus.read_stories(arguments.out / "heldout.jsonl")[:arguments.stories]
    print(report(model, tokenizer, rows))
    print("greedy:", sample(model, tokenizer, "Once upon a time", 0.0), sep="\n")
    for _ in range(arguments.samples):
        print("temperature 0.8:", sample(model, tokenizer, "", 0.8), sep="\n")


if __name__ == "__main__":
    main()
