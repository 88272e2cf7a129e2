"""From rounds taken in turn to medians, ratios and a table. A ratio is formed within a round: on a shared machine rates drift
from second to second, and only neighbours compare."""
import statistics

from host_rows import MANY

HONE, RIVAL = "hone", "llama.cpp"


def middle(values):
    """{"median", "spread"}: the spread is half the distance between the quartiles."""
    values = sorted(values)
    quarter = len(values) // 4
    return {"median": statistics.median(values), "spread": (values[-1 - quarter] - values[quarter]) / 2}


def shares(sides):
    """Of a round: how much of the read bandwidth each side's decoding used, and of the arithmetic ceiling each prefill.
    Both ceilings were sampled by Hone before and after its run of the round."""
    hone = sides[HONE]
    bandwidth, bytes_of_step = hone["read_bandwidth_bytes_per_second"], hone["weight_bytes_per_token"]
    return {name: {"decode_share": side["decode_tokens_per_second"] / hone["sequences"] * bytes_of_step / bandwidth,
                   "prefill_share": hone["prefill_peak_share"] * side["prefill_tokens_per_second"]
                   / hone["prefill_tokens_per_second"]} for name, side in sides.items()}


def summarise(rounds):
    """rounds: [{side: {figure: value}}]. Per side the middle of every figure; `ratio`: Hone's in each other side's."""
    for sides in rounds:
        for name, told in shares(sides).items():
            sides[name].update(told)
    figures = ("decode_tokens_per_second", "prefill_tokens_per_second", "load_seconds", "peak_memory_bytes", "decode_share",
               "prefill_share")
    summary = {name: {figure: middle([sides[name][figure] for sides in rounds]) for figure in figures} for name in rounds[0]}
    summary["read_bandwidth_bytes_per_second"] = middle([s[HONE]["read_bandwidth_bytes_per_second"] for s in rounds])
    summary["ratio"] = {name: {figure: middle([sides[HONE][figure] / sides[name][figure] for sides in rounds])
                               for figure in figures[:4]} for name in rounds[0] if name != HONE}
    return summary


def step_costs(by_sequences):
    """by_sequences: {sequences: rounds}. Per side: a step with N rows in steps with one, and the tokens gained."""
    costs = {}
    for name in (HONE, RIVAL):
        one = [sides[name]["decode_tokens_per_second"] for sides in by_sequences[1]]
        for count in MANY[1:]:
            many = [sides[name]["decode_tokens_per_second"] for sides in by_sequences[count]]
            gains = [b / a for a, b in zip(one, many)]
            costs.setdefault(name, {})[str(count)] = {"gain": middle(gains), "cost": middle([count / g for g in gains])}
    return costs


def mark(value, target, at_least=True):
    """A figure that misses its target carries the target."""
    if not target or (value >= target if at_least else value <= target):
        return ""
    return f" (asked {'≥' if at_least else '≤'} {target:g})"


def rate(summary, side, figure):
    told = summary[side][figure]
    return f"{told['median']:.1f} ± {told['spread']:.1f}"


def percent(value, target):
    return f"{100 * value:.0f} %" + (mark(100 * value, 100 * target) if target else "")


def times(summary, rival, figure, target):
    told = summary["ratio"][rival][figure]
    return f"{told['median']:.2f} ± {told['spread']:.2f}" + mark(told["median"], target)


HEAD = ("| model | decode tok/s: Hone | llama.cpp | ratio | of bandwidth: Hone | llama.cpp | prefill tok/s: Hone | llama.cpp | "
        "ratio | of ceiling: Hone | load s: Hone | llama.cpp | peak MiB: Hone | llama.cpp |\n" + "|---" * 14 + "|\n")
HEAD_MANY = ("\n| model | sequences | tokens of one, times: Hone | llama.cpp | a step costs: Hone | llama.cpp | decode tok/s: Hone | "
             "llama.cpp | ratio |\n" + "|---" * 9 + "|\n")


HEAD_OTHERS = ("\n| model | rival | decode tok/s | Hone's in it | prefill tok/s | Hone's in it | load s | peak MiB |\n"
               + "|---" * 8 + "|\n")


def line(entry):
    summary, targets = entry["summary"]["1"], entry["targets"] or {}
    cells = [f"`{entry['row']}`",
             rate(summary, HONE, "decode_tokens_per_second"), rate(summary, RIVAL, "decode_tokens_per_second"),
             times(summary, RIVAL, "decode_tokens_per_second", targets.get("decode_ratio")),
             percent(summary[HONE]["decode_share"]["median"], targets.get("decode_share")),
             percent(summary[RIVAL]["decode_share"]["median"], None),
             rate(summary, HONE, "prefill_tokens_per_second"), rate(summary, RIVAL, "prefill_tokens_per_second"),
             times(summary, RIVAL, "prefill_tokens_per_second", targets.get("prefill_ratio")),
             percent(summary[HONE]["prefill_share"]["median"], targets.get("prefill_share"))]
    cells += [f"{summary[side]['load_seconds']['median']:.2f}" for side in (HONE, RIVAL)]
    cells += [f"{summary[side]['peak_memory_bytes']['median'] / 2**20:.0f}" for side in (HONE, RIVAL)]
    return "| " + " | ".join(cells) + " |\n"


def lines_of_many(entry):
    text = ""
    for count in MANY[1:]:
        own, rival = (entry["step_costs"][side][str(count)] for side in (HONE, RIVAL))
        summary = entry["summary"][str(count)]
        gain, cost = own["gain"]["median"], own["cost"]["median"]
        cells = [f"`{entry['model']}`", str(count),
                 f"{gain:.2f}" + (mark(gain, entry["four_gain"]) if count == 4 else ""), f"{rival['gain']['median']:.2f}",
                 f"{cost:.2f}" + (mark(cost, entry["step_cost"], False) if count == 16 else ""),
                 f"{rival['cost']['median']:.2f}",
                 rate(summary, HONE, "decode_tokens_per_second"), rate(summary, RIVAL, "decode_tokens_per_second"),
                 times(summary, RIVAL, "decode_tokens_per_second", None)]
        text += "| " + " | ".join(cells) + " |\n"
    return text


def lines_of_others(entry):
    summary = entry["summary"]["1"]
    return "".join("| " + " | ".join([
        f"`{entry['row']}`", name, rate(summary, name, "decode_tokens_per_second"),
        times(summary, name, "decode_tokens_per_second", None), rate(summary, name, "prefill_tokens_per_second"),
        times(summary, name, "prefill_tokens_per_second", None), f"{summary[name]['load_seconds']['median']:.2f}",
        f"{summary[name]['peak_memory_bytes']['median'] / 2**20:.0f}"]) + " |\n"
        for name in summary["ratio"] if name != RIVAL)


def table(entries):
    """Markdown of all measured rows."""
    others = "".join(map(lines_of_others, entries))
    single = [line(entry) for entry in entries if "step_costs" not in entry]
    many = [lines_of_many(entry) for entry in entries if "step_costs" in entry]
    return ((HEAD + "".join(single) if single else "") + (HEAD_MANY + "".join(many) if many else "")
            + (HEAD_OTHERS + others if others else ""))
