#!/usr/bin/env python3
"""Plan the thirty instances of instances.yaml, and compare with the rules that people use, all by the planner's cost model;
write one JSON document.

In order: layers onto cards in order, each card filled before the next, of the last layers the experts to the host.  Both
rules: that, or layers shared out in proportion to memory, whichever takes less time.  The host computes what it keeps, or
streams it to the card in prompts, whichever takes less; chunks have 512 tokens.

usage: plan_instances.py HONE [-o FILE]
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

import yaml

FOLDER = pathlib.Path(__file__).parent
TWO_CARDS = ("two-3090", "4090-4060ti", "two-5090")


def plan(hone, work, model, machine):
    command = [hone, "plan", model["preset"], "--type", model["type"], "--machine",
               str(FOLDER / "machines" / (machine + ".yaml")), "--prompt", str(work["prompt"]), "--generate",
               str(work["generate"]), "--context", str(work["context"]), "--cache", "", "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    row = {"model": model["preset"], "type": model["type"], "machine": machine}
    if done.returncode:
        return row | {"refused": done.stderr.strip()}
    answer = json.loads(done.stdout)
    rates = ("prefill_tokens_per_second", "decode_tokens_per_second", "total_seconds")
    row["planned"] = {name: answer[name] for name in rates}
    row["rule"] = {name: answer["rule"][name] for name in rates} if "rule" in answer else None
    row["rule_in_order"] = {name: answer["rule_in_order"][name] for name in rates} if "rule_in_order" in answer else None
    row["gain_in_order"] = row["rule_in_order"] and row["rule_in_order"]["total_seconds"] / answer["total_seconds"]
    row["gain"] = answer["rule"]["total_seconds"] / answer["total_seconds"] if "rule" in answer else None
    row["limit"] = answer["limit"]
    row["gain_limit"] = row["rule_in_order"] and row["rule_in_order"]["total_seconds"] / answer["limit"]["total_seconds"]
    row["gap"] = 1 / min(1, answer["bound_share"]) - 1
    for name in ("prefill_bound", "decode_bound", "prompt_chunk", "planning_seconds"):
        row[name] = answer[name]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hone")
    parser.add_argument("-o", "--output")
    arguments = parser.parse_args()
    work = yaml.safe_load((FOLDER / "instances.yaml").read_text())
    rows = []
    for model in work["models"]:
        for machine in work["machines"]:
            row = plan(arguments.hone, work, model, machine)
            rows.append(row)
            gain = f"{row['gain']:.2f} {row['gain_in_order']:.2f}" if row.get("gain_in_order") else "-"
            rates = row.get("planned", {})
            print(f"{row['model']:>16} {machine:>12} {rates.get('prefill_tokens_per_second', 0):9.0f} "
                  f"{rates.get('decode_tokens_per_second', 0):8.1f} {gain:>10} {row.get('gain_limit') or 0:6.2f} {row.get('gap', 0):6.3f} "
                  f"{row.get('planning_seconds', 0):5.2f} {row.get('refused', '')}", file=sys.stderr)
    gains = [row["gain"] for row in rows if row.get("gain")]
    in_order = [row["gain_in_order"] for row in rows if row.get("gain_in_order")]
    two_cards = [row["gain_in_order"] for row in rows if row.get("gain_in_order") and row["machine"] in TWO_CARDS]
    document = {"instances": len(rows), "compared": len(gains), "least_gain": min(gains),
                "median_gain": statistics.median(gains), "least_gain_in_order": min(in_order),
                "median_gain_in_order": statistics.median(in_order),
                "median_gain_in_order_two_cards": statistics.median(two_cards), "judge": "the planner's cost model", "rows": rows}
    print(f"gain over layers in order: median {document['median_gain_in_order']:.3f}, with two cards "
          f"{document['median_gain_in_order_two_cards']:.3f}, least {document['least_gain_in_order']:.3f}")
    print(f"gain over the best of both rules: median {document['median_gain']:.3f}, least {document['least_gain']:.3f}, "
          f"{len(gains)} of {len(rows)} compared")
    if arguments.output:
        pathlib.Path(arguments.output).write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
