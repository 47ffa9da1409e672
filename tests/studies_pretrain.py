#!/usr/bin/env python3
"""Tables of a study of documents: means over seeds, and differences paired by seed with 95 % intervals of Student's t.

  tests/studies_pretrain.py FOLDER ARM ARM...              at the last look, and less the first arm's
  tests/studies_pretrain.py FOLDER ARM ARM... --first      at the first look
  tests/studies_pretrain.py FOLDER ARM ARM... --dip STEP   from a step on, the loss of documents without pictures
  tests/studies_pretrain.py FOLDER ARM ARM... --svg STEP   that loss from a step on as a figure, mean over seeds
"""
import argparse
import math
import sqlite3
import sys

from studies_check import T_975, dip


def load(folder, arm):
    """{seed: {key without "pretrain/": {step: value}}} of the looks of an arm."""
    store = sqlite3.connect(f"file:{folder}/store.db?mode=ro", uri=True)
    runs = {}
    for seed, key, step, value in store.execute(
            "select r.seed, m.key, m.at_update, m.value from metric m join run r on r.id = m.run_id where r.arm = ? and"
            " r.status = 'done' and m.key like 'pretrain/held_out%' order by m.at_update", (arm,)):
        runs.setdefault(seed, {}).setdefault(key[len("pretrain/"):], {})[step] = value
    store.close()
    for of in runs.values():
        parts = {"text": [], "image": []}
        for key in of:
            if key.startswith("held_out/"):
                parts["image" if "/image" in key else "text"].append(key)
        for part, keys in parts.items():
            if not keys:
                continue
            of["held_out/all " + part] = {step: sum(of[key][step] for key in keys) / len(keys) for step in of[keys[0]]}
    return runs


def interval(values):
    """Mean and the ends of its 95 % interval."""
    n = len(values)
    mean = sum(values) / n
    half = T_975[n - 1] * math.sqrt(sum((x - mean) ** 2 for x in values) / (n - 1) / n)
    return mean, mean - half, mean + half


def show(values):
    if len(values) < 2:
        return "{:.3f} (n = 1: no interval)".format(*values)
    return "{:.3f} [{:.3f}, {:.3f}]".format(*interval(values))


def draw(arms, first):
    """The mean loss of documents without pictures of each arm, a line each, as SVG."""
    curves = {}
    for arm, runs in arms.items():
        losses = [of["held_out/all text"] for of in runs.values()]
        curves[arm] = [(step, sum(of[step] for of in losses) / len(losses)) for step in losses[0] if step >= first]
    last = max(step for curve in curves.values() for step, _ in curve)
    top = math.ceil(20 * max(loss for curve in curves.values() for _, loss in curve)) / 20

    def place(step, loss):
        return f"{60 + 560 * (step - first) / (last - first):.1f},{260 - 230 * loss / top:.1f}"

    print('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 310" font-family="sans-serif" font-size="13">\n'
          f'<title>Held-out text loss from step {first} on</title>\n<rect width="760" height="310" fill="#fff"/>')
    for i in range(round(20 * top) + 1):
        y = place(first, i / 20).split(",")[1]
        print(f'<path d="M60 {y}H620" stroke="#ddd"/><text x="52" y="{y}" dy="4" text-anchor="end">{i / 20:.2f}</text>')
    for step in range(first, last + 1, 48):
        print(f'<text x="{place(step, 0).split(",")[0]}" y="280" text-anchor="middle">{step}</text>')
    print('<text x="340" y="302" text-anchor="middle">step</text><text x="60" y="16">nats a learnt token</text>')
    for i, (arm, curve) in enumerate(curves.items()):
        colour = ("#888", "#0072b2", "#009e73", "#d55e00")[i % 4]
        points = " ".join(place(*point) for point in curve)
        print(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
              f'<text x="632" y="{40 + 20 * i}" fill="{colour}">{arm}</text>')
    print("</svg>")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder")
    parser.add_argument("arms", nargs="+")
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--dip", type=int)
    parser.add_argument("--svg", type=int)
    options = parser.parse_args()
    arms = {arm: load(options.folder, arm) for arm in options.arms}
    reference = arms[options.arms[0]]
    if options.svg is not None:
        draw(arms, options.svg)
        return
    if options.dip is not None:
        for arm, runs in arms.items():
            try:
                found = [dip(of["held_out/all text"], options.dip) for of in runs.values()]
            except ValueError as error:
                sys.exit(f"{arm}: {error}")
            print(arm, "mean", show([of[0] for of in found]), "worst", show([of[1] for of in found]), "after",
                  *(of[2] for of in found), "back after", *(of[3] for of in found))
        return
    end = min if options.first else max
    for key in sorted(next(iter(reference.values()))):
        for arm, runs in arms.items():
            last = {seed: of[key][end(of[key])] for seed, of in runs.items()}
            pairs = [last[seed] - of[key][end(of[key])] for seed, of in reference.items() if seed in last]
            print(key, arm, f"{sum(last.values()) / len(last):.3f}", show(pairs) if runs is not reference else "",
                  sep="\t")


if __name__ == "__main__":
    main()
