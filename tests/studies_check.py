#!/usr/bin/env python3
"""Makes cheap runs of the studies on a seed that nobody has used and says whether each fact falls inside its interval.

tests/studies.tsv has a row for each fact: study, recipe, arm, family (`all`: every task), fact, and the ends of the
95 % prediction interval of one more seed, mean -+ t(n - 1) s sqrt(1 + 1/n) of the study's n seeds, no narrower than
0.03 each way for a rate and a twentieth of the mean for a count, since a few hundred tasks are a sample. Of many
nights one in twenty falls outside by chance. The fact `dip` is of pretraining: by how much the loss of held-out
documents without pictures, mean of the sources, is above that of step FAMILY in the 4 looks after it, on average.

  tests/studies_check.py --parl build/release/parl [--study NAME] [--seed N]    make the runs (and runs/sub_models)
  tests/studies_check.py --table                                               only read the table
  tests/studies_check.py --from runs                                           the intervals of whole studies' folders
"""
import argparse
import datetime
import json
import math
import os
import sqlite3
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FACTS = {name: name for name in ("r_perf", "success", "critical_steps", "total_steps", "assigned", "n_tokens")}
FACTS["launched"] = "launches > 0"
FACTS["dip"] = None  # of no episode
RATES = ("r_perf", "success", "launched")
NEEDS = {"subs": "sub_models", "fusion": "towers"}  # whose models a recipe loads from runs/: made there, once
OF_SEED = ("towers",)  # for each seed
MEAN, LOOKS = 4, 8  # looks after a step: of a dip's mean; in which the worst is looked for
T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def read_table(path):
    """The rows of the table; raises ValueError, which names the line, for one that makes no sense."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("#") or not line.strip():
                continue
            cells = line.rstrip("\n").split("\t")
            if len(cells) != 7:
                raise ValueError(f"{path}:{number}: {len(cells)} cells, not 7")
            row = dict(zip(("study", "recipe", "arm", "family", "fact"), cells))
            row["low"], row["high"] = float(cells[5]), float(cells[6])
            if row["fact"] not in FACTS:
                raise ValueError(f"{path}:{number}: fact \"{row['fact']}\": one of {', '.join(FACTS)}")
            if not row["low"] < row["high"]:
                raise ValueError(f"{path}:{number}: {row['low']} is not below {row['high']}")
            if not os.path.isfile(os.path.join(ROOT, "experiments", "recipes", row["recipe"] + ".lua")):
                raise ValueError(f"{path}:{number}: no recipe {row['recipe']}")
            rows.append(row)
    if not rows:
        raise ValueError(f"{path}: no rows")
    return rows


def means(folder, row):
    """The mean of a row's fact in each seed of its arm, over sampled held-out episodes."""
    store = sqlite3.connect(f"file:{folder}/store.db?mode=ro", uri=True)
    if row["fact"] == "dip":
        with store:
            values = dips(store, row)
        store.close()
        return values
    family = "" if row["family"] == "all" else " and e.family = :family"
    query = (f"select avg({FACTS[row['fact']]}) from episode e join run r on r.id = e.run_id where r.arm = :arm"
             f" and e.decoding = 'sampled'{family} group by r.seed order by r.seed")
    with store:
        values = [value for (value,) in store.execute(query, row)]
    store.close()
    return values


def dip(loss, first):
    """How far the loss is above that of a step on average, and at most; steps until then, and until it is back."""
    after = [step for step in sorted(loss) if step > first]
    if first not in loss or len(after) < MEAN:
        raise ValueError(f"a dip takes a look at step {first} and {MEAN} after it: there are "
                         f"{'one' if first in loss else 'none'} and {len(after)}")
    mean = sum(loss[step] for step in after[:MEAN]) / MEAN
    worst = max(after[:LOOKS], key=lambda step: loss[step])
    back = next((step - first for step in after if step > worst and loss[step] <= loss[first]), None)
    return mean - loss[first], loss[worst] - loss[first], worst - first, back


def dips(store, row):
    """The dip of each seed of a row's arm."""
    losses = {}
    for seed, step, loss in store.execute(
            "select r.seed, m.at_update, avg(m.value) from metric m join run r on r.id = m.run_id where r.arm = :arm"
            " and m.key like 'pretrain/held_out/%' and m.key not like '%/image%' group by r.seed, m.at_update", row):
        losses.setdefault(seed, {})[step] = loss
    return [dip(losses[seed], int(row["family"]))[0] for seed in sorted(losses)]


def prediction(values, fact):
    """The 95 % prediction interval of one more value."""
    n = len(values)
    mean = sum(values) / n
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    least = 0.03 if fact in RATES else abs(mean) / 20
    half = max(T_975[n - 1] * deviation * math.sqrt(1 + 1 / n), least)
    return mean - half, mean + half


def run(*command):
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def make_run(parl, row, seed, folder, fields):
    """The folder of one run of a row's arm: the job of a plan that trains it."""
    recipe = os.path.join("experiments", "recipes", row["recipe"] + ".lua")
    if row["recipe"] in NEEDS:
        needed = NEEDS[row["recipe"]]
        seeds = (f"run.seed={seed}", "run.n_seeds=1") if needed in OF_SEED else ()
        run(parl, "train", os.path.join("experiments", "recipes", needed + ".lua"), "--quiet",
            *(part for field in seeds for part in ("--set", field)))
    jobs, runs = os.path.join(folder, "jobs"), os.path.join(folder, "runs")
    run(parl, "sweep", "plan", recipe, "-o", jobs, "--quiet", "--set", f"run.dir={runs}", "--set", f"run.seed={seed}",
        "--set", "run.n_seeds=1", *(part for field in fields for part in ("--set", field)))
    with open(os.path.join(jobs, "manifest.jsonl"), encoding="utf-8") as file:
        found = [job["job"] for job in map(json.loads, file) if any(
            part["run"]["name"] == row["arm"] for part in job["runs"])]
    if len(found) != 1:
        raise ValueError(f"{recipe}: {len(found)} jobs train {row['arm']}")
    run(parl, "sweep", "run", jobs, "--index", str(found[0]), "--quiet")
    run(parl, "merge", jobs, "--quiet")
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--parl", default=os.path.join(ROOT, "build", "release", "parl"))
    parser.add_argument("--rows", default=os.path.join(ROOT, "tests", "studies.tsv"))
    parser.add_argument("--study")
    parser.add_argument("--seed", type=int, default=1000000 + datetime.date.today().toordinal())
    parser.add_argument("--set", dest="fields", action="append", default=[], help="a field of the recipe, for tests")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--from", dest="folder")
    options = parser.parse_args()
    try:
        rows = [row for row in read_table(options.rows) if options.study in (None, row["study"])]
    except ValueError as error:
        sys.exit(str(error))
    if not rows:
        sys.exit(f"no study {options.study}")
    if options.table:
        print(f"{len(rows)} rows")
        return
    with tempfile.TemporaryDirectory() as scratch:
        try:
            sys.exit(judge(rows, options, scratch))
        except (subprocess.CalledProcessError, ValueError) as error:
            sys.exit(str(error))


def judge(rows, options, scratch):
    """Prints each row's verdict, or its interval; 1 if one is outside."""
    outside, made = 0, {}
    for row in rows:
        what = f"{row['study']}: {row['fact']} of {row['arm']} on {row['family']}"
        if options.folder:
            low, high = prediction(means(os.path.join(options.folder, row["recipe"]), row), row["fact"])
            print(f"{what}\t{low:.3g}\t{high:.3g}")
            continue
        key = row["recipe"], row["arm"]
        if key not in made:
            folder = os.path.join(scratch, str(len(made)))
            made[key] = make_run(os.path.abspath(options.parl), row, options.seed, folder, options.fields)
        value = means(made[key], row)[0]
        inside = row["low"] <= value <= row["high"]
        outside += not inside
        print(f"{what}, seed {options.seed}: {value:.3f}, {'inside' if inside else 'OUTSIDE'} "
              f"[{row['low']}, {row['high']}]", flush=True)
    return 1 if outside else 0


if __name__ == "__main__":
    main()
