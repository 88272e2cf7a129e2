"""Prompts, transformers' logits for them, and the bounds that go beside the logits.

A prompt must not stand on a knife's edge: greedy choices win by GREEDY_MARGIN logits, and where experts are
routed the last chosen one wins by ROUTER_MARGIN, so that an implementation which rounds differently still takes
the same way.
"""

import math

import numpy as np
import torch

from oracle_float64 import Network64, formula_of
from oracle_gguf import stays_float32, through_type

PROMPT_TOKENS = (1, 7, 64, 300)
DECODE_PREFILL, DECODE_STEPS = 64, 8
GREEDY_MARGIN = 0.3
ROUTER_MARGIN = 0.25        # rounding activations to 8-bit blocks was seen to move it by 0.2
POSITION_STRIDE = 16        # long prompts keep every 16th row and the last
BOUND_FACTOR = 8.0          # over the float32 error of transformers itself: another order of sums, another cosine
BOUND_FLOOR = 5e-5
ROUNDED_BOUND_FACTOR = 3.0  # over the largest simulated effect of rounding the activations
ROUNDED_RMS_FACTOR = 2.0    # over its root mean square, which varies less


def round_to_bf16(x):
    return torch.from_numpy(x).to(torch.bfloat16).double().numpy()


def round_to_f16(x):
    return x.astype(np.float16).astype(np.float64)


def round_to_blocks(x):
    """8-bit integers with one float16 scale per 32 values, the coarsest that block-quantised weights allow."""
    blocks = x.reshape(*x.shape[:-1], -1, 32)
    scales = (np.abs(blocks).max(axis=-1, keepdims=True) / 127.0).astype(np.float16).astype(np.float64)
    steps = np.divide(blocks, scales, out=np.zeros_like(blocks), where=scales > 0)
    return (np.clip(np.rint(steps), -127, 127) * scales).reshape(x.shape)


ROUNDINGS = {"f32": None, "f16": round_to_f16, "bf16": round_to_bf16, "q8_0": round_to_blocks,
             "q4_0": round_to_blocks}


def set_weights_through(network, file_type):
    """Give the network the weights a reader gets from a GGUF file of this type."""
    state = network.state_dict()
    for name, value in state.items():
        if not stays_float32(name, value):
            value.copy_(torch.from_numpy(through_type(value.numpy(), file_type)))


def kept_positions(tokens, window):
    if tokens <= 7:
        return list(range(tokens))
    kept = {*range(POSITION_STRIDE - 1, tokens, POSITION_STRIDE), tokens - 1}
    kept |= {p for p in (window - 1, window, window + 1) if window and p < tokens}
    return sorted(kept)


@torch.no_grad()
def prefill_logits(network, ids):
    return network(torch.tensor([ids]), use_cache=False).logits[0].numpy()


@torch.no_grad()
def decode_greedily(network, prompt, steps):
    """Prefill the prompt, then feed the best token one at a time. Returns all ids fed and the logits of the
    last prompt token and of every step [1 + steps, V]."""
    answer = network(torch.tensor([prompt]), use_cache=True)
    ids, rows = list(prompt), [answer.logits[0, -1].numpy()]
    for _ in range(steps):
        ids.append(int(rows[-1].argmax()))
        answer = network(torch.tensor([ids[-1:]]), past_key_values=answer.past_key_values, use_cache=True)
        rows.append(answer.logits[0, -1].numpy())
    return ids, np.stack(rows)


def winning_margin(rows):
    best = np.sort(rows, axis=-1)
    return float((best[:, -1] - best[:, -2]).min())


def draw_prompt(reference, tokens, vocabulary, generator):
    """Random ids; where the router is undecided the id is drawn again, from the left to the right."""
    ids = [int(i) for i in generator.integers(0, vocabulary, tokens)]
    while True:
        undecided = np.flatnonzero(reference.run(ids)[1] < ROUTER_MARGIN)
        if undecided.size == 0:
            return ids
        ids[undecided[0]] = int(generator.integers(0, vocabulary))


def round_up(value):
    """To two digits, so that bounds read as bounds."""
    digit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / digit) * digit:.2g}")


class CaseMaker:
    """Makes the cases of one network: logits as float32 rows, and what to compare them with."""

    def __init__(self, network, file_type, generator):
        self.network, self.generator = network, generator
        self.configuration = network.config
        self.exact = Network64(formula_of(network.config), network.state_dict())
        rounding = ROUNDINGS[file_type]
        self.rounded = rounding and Network64(formula_of(network.config), network.state_dict(), rounding)

    def describe(self, kind, ids, positions, rows):
        """The manifest's entry of a case; `rows` are transformers' logits at `positions`."""
        exact, gaps = self.exact.run(ids)
        difference = float(np.abs(exact[positions] - rows).max())
        case = dict(name=f"{kind}_{len(ids)}", kind=kind, ids=ids, positions=positions,
                    bound=round_up(max(BOUND_FACTOR * difference, BOUND_FLOOR)),
                    float64_difference=difference, deviation=float(rows.std()))
        if self.rounded:
            moved = self.rounded.run(ids)[0][positions] - exact[positions]
            case["bound_rounded_activations"] = round_up(ROUNDED_BOUND_FACTOR * float(np.abs(moved).max()))
            case["bound_rounded_activations_rms"] = round_up(ROUNDED_RMS_FACTOR * float(np.sqrt((moved**2).mean())))
        if np.isfinite(gaps).all():
            case["router_margin"] = float(gaps.min())
        return case

    def prefill_case(self, tokens):
        ids = draw_prompt(self.exact, tokens, self.configuration.vocab_size, self.generator)
        positions = kept_positions(tokens, self.exact.formula.window)
        rows = prefill_logits(self.network, ids)[positions]
        return self.describe("prefill", ids, positions, rows), rows

    def decode_case(self):
        """Draws prompts until every greedy choice and every routing decision is clear."""
        while True:
            prompt = draw_prompt(self.exact, DECODE_PREFILL, self.configuration.vocab_size, self.generator)
            ids, rows = decode_greedily(self.network, prompt, DECODE_STEPS)
            if winning_margin(rows) >= GREEDY_MARGIN and self.exact.run(ids)[1].min() >= ROUTER_MARGIN:
                break
        positions = list(range(DECODE_PREFILL - 1, len(ids)))
        case = self.describe("decode", ids, positions, rows)
        at_once = prefill_logits(self.network, ids)[positions]
        case.update(prefill_tokens=DECODE_PREFILL, greedy_margin=winning_margin(rows),
                    decode_prefill_difference=float(np.abs(at_once - rows).max()))
        return case, rows

    def all_cases(self):
        return [self.prefill_case(tokens) for tokens in PROMPT_TOKENS] + [self.decode_case()]
