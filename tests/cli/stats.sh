#!/bin/sh
# parl stats: the numbers of a table against an implementation of their own, in Python.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
cat >check.py <<'X'
"""check.py: numbers of parl stats --json, on standard input, of scores.csv, beside this file's own."""
import collections
import csv
import json
import random
import statistics
import sys

cells = collections.defaultdict(lambda: collections.defaultdict(dict))
with open("scores.csv", encoding="utf-8", newline="") as file:
    for row in csv.DictReader(file):
        cells[row["algorithm"]][row["task"]][row["seed"]] = float(row["score"])
got = json.load(sys.stdin)
TAUS = [0, 0.5, 0.75]


def iqm(runs):
    x = sorted(score for task in runs for score in task)
    cut = len(x) // 4
    return statistics.fmean(x[cut:len(x) - cut])


def mean(runs):
    return statistics.fmean(statistics.fmean(task) for task in runs)


def median(runs):
    return statistics.median(statistics.fmean(task) for task in runs)


def gap(runs):
    return 1 - statistics.fmean(min(score, 1) for task in runs for score in task)


def improvement(a, b):
    each = [[(x > y) + 0.5 * (x == y) for x in s for y in t] for s, t in zip(a, b)]
    return statistics.fmean(statistics.fmean(task) for task in each)


def quantile(x, share):
    x = sorted(x)
    at = share * (len(x) - 1)
    low = int(at)
    return x[low] + (at - low) * (x[min(low + 1, len(x) - 1)] - x[low])


def agree(name, what, value, replicate, n=2000):
    draws = [replicate() for _ in range(n)]
    wide = quantile(draws, 0.975) - quantile(draws, 0.025)
    good = abs(what["value"] - value) < 1e-12
    for key, share in (("lo", 0.025), ("hi", 0.975)):
        good = good and abs(what[key] - quantile(draws, share)) < 0.12 * wide + 1e-12
    print(("ok " if good else "not ok ") + name + ("" if good else ": %s, due %s" % (what, value)))


def again(runs):
    return [random.choices(task, k=len(task)) for task in runs]


random.seed(7)
runs = {a: [list(task.values()) for task in tasks.values()] for a, tasks in cells.items()}
for a in runs:
    for key, function in (("iqm", iqm), ("mean", mean), ("median", median), ("optimality_gap", gap)):
        agree("%s of %s" % (key, a), got["algorithms"][a][key], function(runs[a]), lambda: function(again(runs[a])))
    flat = [score for task in runs[a] for score in task]
    due = [sum(score > tau for score in flat) / len(flat) for tau in TAUS]
    same = all(abs(x - y) < 1e-12 for x, y in zip(due, got["algorithms"][a]["profile"]))
    print(("ok" if same else "not ok") + " profile of %s%s" % (a, "" if same else ": due %s" % due))
for a in runs:
    for b in runs:
        if a == b:
            continue
        pair = got["pairs"]["%s>%s" % (a, b)]
        agree("chance of %s > %s" % (a, b), pair["probability_of_improvement"], improvement(runs[a], runs[b]),
              lambda: improvement(again(runs[a]), again(runs[b])))
        pool = [score - cells[b][task][seed] for task in cells[a] for seed, score in cells[a][task].items()
                if seed in cells[b][task]]
        agree("difference %s > %s" % (a, b), pair["mean_difference"], statistics.fmean(pool),
              lambda: statistics.fmean(random.choices(pool, k=len(pool))))
X
python3 - <<'X'
import csv, random
random.seed(3)
with open("scores.csv", "w", encoding="utf-8", newline="") as file:
    out = csv.writer(file)
    out.writerow(["task", "algorithm", "seed", "score"])
    for name, level, runs in (("annealed", 0.7, 10), ("plain, \"0\"", 0.55, 7)):
        for task in range(5):
            for seed in range(runs):
                out.writerow(["task %d" % task, name, seed, round(random.gauss(level + 0.05 * task, 0.2), 2)])
X
"$PARL" stats scores.csv --json --taus 0,0.5,0.75 >out.json 2>err || echo "not ok stats: $(cat err)"
python3 check.py <out.json
same "the same again" "$(cat out.json)" "$("$PARL" stats scores.csv --json --taus 0,0.5,0.75)"
has "another seed" '"seed":2' "$("$PARL" stats scores.csv --json --seed 2 --resamples 100)"
has "a table for people" "plain, \"0\"" "$("$PARL" stats scores.csv)"
code "no number among the taus" 2 "$PARL" stats scores.csv --taus 0,x
has "says which" 'parl: --taus 0,x: "x" is no finite number' "$(cat "$SCRATCH/err")"
code "no such table" 1 "$PARL" stats none.csv
printf 'task,algorithm,seed,score\nu,x,1,abc\n' >bad.csv
code "a bad score" 1 "$PARL" stats bad.csv
has "its place" 'bad.csv:2: score = "abc"' "$(cat "$SCRATCH/err")"
printf 'task,algorithm,seed,score,note\nu,x,1,1,a\n' >one.csv
code "one run" 0 "$PARL" stats one.csv --json
has "has no interval" '"iqm":{"value":1,"lo":null,"hi":null}' "$(cat "$SCRATCH/out")"
has "an unused column is named" 'not used: column "note"' "$(cat "$SCRATCH/err")"
