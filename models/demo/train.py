"""Trains the demo models: a byte-level BPE vocabulary, then a dense or a mixture-of-experts transformer.

    python train.py OUT dense       needs OUT/train.jsonl (corpus.py); writes OUT/tokenizer.json
    python train.py OUT moe         and the folders OUT/dense and OUT/moe

One thread and one pass: no story is seen twice. Weights are float32, the matrix products of training bfloat16. An
interrupted run goes on from OUT/KIND.checkpoint.pt.
"""

import argparse
import math
import pathlib
import time

import numpy
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM

import corpus
from evaluate import BEGIN, END, report, story_ids
from muon import Muon

SEED = 1234
VOCABULARY = 1024
CONTEXT = 512
# Rows that hold one story and little more, then rows that reach to the end of the context: with few other names in
# sight copying is learned sooner. (share of the steps, tokens in a row, rows in a step)
STAGES = ((0.75, 320, 6), (0.25, CONTEXT, 4))
STEPS = 1200
WARMUP_STEPS = 40
CHECKPOINT_STEPS = 50
MATRIX_RATE, OTHER_RATE = 5e-3, 2e-3
WEIGHT_DECAY = 0.1
MATRIX_DEVIATION = 0.06     # about 1 / sqrt(hidden_size): attention begins with scores of order one
# Heads of 64, as most real models have, and of 32, tied and untied, so that the two models differ in every shape.
DENSE = dict(hidden_size=256, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2, head_dim=64,
             intermediate_size=384, tie_word_embeddings=True)
MOE = dict(hidden_size=192, num_hidden_layers=5, num_attention_heads=6, num_key_value_heads=2, head_dim=32,
           intermediate_size=128, tie_word_embeddings=False, num_local_experts=8, num_experts_per_tok=2,
           output_router_logits=True, router_aux_loss_coef=0.02, sliding_window=None)


def train_tokenizer(texts):
    """Byte-level BPE with GPT-2's pre-tokenizer; begin and end tokens have ids 0 and 1."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[BEGIN, END], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return tokenizer


def load_tokenizer(out, texts):
    path = out / "tokenizer.json"
    if not path.exists():
        train_tokenizer(texts).save(str(path))
    return Tokenizer.from_file(str(path))


def pack_row(stories, length):
    """The next stories of the iterator as `length` ids, the last one cut; the row begins with a begin token."""
    row = []
    while len(row) < length:
        row.extend(next(stories))
    return row[:length]


def make_batches(stories, steps):
    """The batches of all steps in order, as arrays [rows, tokens]."""
    stories, batches = iter(stories), []
    try:
        for share, length, rows in STAGES:
            for _ in range(round(share * steps)):
                batches.append(numpy.array([pack_row(stories, length) for _ in range(rows)]))
    except StopIteration:
        raise SystemExit(f"{steps} steps need more stories: write more with corpus.py --train") from None
    return batches


def make_model(kind, tokenizer):
    shared = dict(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=CONTEXT, rms_norm_eps=1e-5,
                  bos_token_id=tokenizer.token_to_id(BEGIN), eos_token_id=tokenizer.token_to_id(END),
                  rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    if kind == "dense":
        model = LlamaForCausalLM(LlamaConfig(**shared, **DENSE))
    else:
        model = MixtralForCausalLM(MixtralConfig(**shared, **MOE))
    start_with_copying(model)
    return model


def is_inner_matrix(name, parameter):
    return parameter.dim() >= 2 and not any(part in name for part in ("embed_tokens", "lm_head", "gate.weight"))


@torch.no_grad()
def start_with_copying(model):
    """Initial weights: every head's value and output matrices pass on what it attends to.

    A head whose output times value matrix is a projection raises the scores of tokens it attends to, so a model
    begins by preferring words of the context and only has to learn where to look.
    """
    for name, parameter in model.named_parameters():
        if is_inner_matrix(name, parameter):
            parameter.normal_(std=MATRIX_DEVIATION)
    size, groups = model.config.head_dim, model.config.num_key_value_heads
    heads_per_group = model.config.num_attention_heads // groups
    for layer in model.model.layers:
        for group in range(groups):
            directions = torch.linalg.qr(torch.randn(model.config.hidden_size, size))[0]     # [hidden, head size]
            layer.self_attn.v_proj.weight[group * size:(group + 1) * size] = directions.T
            for head in range(group * heads_per_group, (group + 1) * heads_per_group):
                layer.self_attn.o_proj.weight[:, head * size:(head + 1) * size] = directions
    if not model.config.tie_word_embeddings:
        model.lm_head.weight.copy_(model.model.embed_tokens.weight)


def make_optimizers(model):
    """[(optimizer, peak learning rate)]"""
    named = list(model.named_parameters())
    matrices = [parameter for name, parameter in named if is_inner_matrix(name, parameter)]
    others = [parameter for name, parameter in named if not is_inner_matrix(name, parameter)]
    return [(Muon(matrices, MATRIX_RATE, WEIGHT_DECAY), MATRIX_RATE),
            (torch.optim.AdamW(others, OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0), OTHER_RATE)]


def rate_share(step, steps):
    """Linear warm-up to one, then a cosine down to zero at the last step."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP_STEPS) / (steps - WARMUP_STEPS)))


def train_step(model, optimizers, ids, share):
    """One update; returns the language loss without the router's balance term."""
    for optimizer, peak_rate in optimizers:
        optimizer.param_groups[0]["lr"] = peak_rate * share
    with torch.autocast("cpu", torch.bfloat16):
        out = model(input_ids=ids, labels=ids)
    model.zero_grad()
    out.loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer, _ in optimizers:
        optimizer.step()
    balance = getattr(out, "aux_loss", None)
    return out.loss.item() - (MOE["router_aux_loss_coef"] * balance.item() if balance is not None else 0.0)


def save_checkpoint(path, model, optimizers, step, spent):
    state = {"model": model.state_dict(), "optimizers": [optimizer.state_dict() for optimizer, _ in optimizers],
             "step": step, "spent": spent}
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def load_checkpoint(path, model, optimizers):
    """(next step, processor seconds spent so far)"""
    if not path.exists():
        return 0, 0.0
    state = torch.load(path)
    model.load_state_dict(state["model"])
    for (optimizer, _), saved in zip(optimizers, state["optimizers"]):
        optimizer.load_state_dict(saved)
    return state["step"], state["spent"]


def train(model, batches, checkpoint):
    """Runs what is left of the steps; returns the processor seconds of all of them."""
    optimizers = make_optimizers(model)
    first, spent = load_checkpoint(checkpoint, model, optimizers)
    began, recent = time.process_time() - spent, []
    model.train()
    for step in range(first, len(batches)):
        share = rate_share(step, len(batches))
        recent.append(train_step(model, optimizers, torch.from_numpy(batches[step]), share))
        if (step + 1) % CHECKPOINT_STEPS == 0 or step + 1 == len(batches):
            spent = time.process_time() - began
            print(f"step {step + 1}/{len(batches)} loss {sum(recent) / len(recent):.4f} "
                  f"processor seconds {spent:.0f}", flush=True)
            save_checkpoint(checkpoint, model, optimizers, step + 1, spent)
            recent = []
    return spent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("kind", choices=("dense", "moe"))
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    texts = [row["text"] for row in corpus.read_stories(arguments.out / "train.jsonl")]
    tokenizer = load_tokenizer(arguments.out, texts)
    batches = make_batches((story_ids(tokenizer, text) for text in texts), arguments.steps)
    model = make_model(arguments.kind, tokenizer)
    print(f"{arguments.kind}: {model.num_parameters()} parameters, {sum(batch.size for batch in batches)} tokens",
          flush=True)
    spent = train(model, batches, arguments.out / f"{arguments.kind}.checkpoint.pt")
    model.eval().save_pretrained(arguments.out / arguments.kind)
    print(f"trained for {spent:.0f} processor seconds")
    print(report(model, tokenizer, corpus.read_stories(arguments.out / "heldout.jsonl")))


if __name__ == "__main__":
    main()
