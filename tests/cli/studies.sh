#!/bin/sh
# The nightly check of the studies: its table parses, wrong ones are refused, the interval is the one by hand, and a run
# of one arm is made and judged.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
check() { python3 "$ROOT/tests/studies_check.py" --parl "$PARL" "$@" 2>&1; }
row() { printf 'a\t%s\t%s\tall\t%s\t%s\t%s\n' "$@" >"$SCRATCH/rows.tsv"; }

studies=$(sed -n '/^STUDIES = /,/[^\\]$/{s/^STUDIES = //;s/\\$//;p}' "$ROOT/Makefile" | tr -s ' \n' '\n' |
  grep . | sort)
listed=$(sed -n '/begin studies/,/end studies/p' "$ROOT/docs/studies.md" | grep -o 'recipes/[a-z0-9_]*' | sort)
same "make studies makes all that are listed" "$(echo "$listed" | sed 's,recipes/,,' | grep -v '^credit$')" "$studies"
same "the table of the studies" "$(grep -c "^[^#]" "$ROOT/tests/studies.tsv") rows" "$(check --table)"
: >"$SCRATCH/rows.tsv"
has "an empty table" "no rows" "$(check --rows "$SCRATCH/rows.tsv" --table)"
row nowhere x r_perf 0 1
has "an unknown recipe" "rows.tsv:1: no recipe nowhere" "$(check --rows "$SCRATCH/rows.tsv" --table)"
row quickstart x speed 0 1
has "an unknown fact" 'fact "speed": one of r_perf' "$(check --rows "$SCRATCH/rows.tsv" --table)"
row quickstart x r_perf 1 0
has "an interval upside down" "1.0 is not below 0.0" "$(check --rows "$SCRATCH/rows.tsv" --table)"
by_hand='import studies_check as s; print(*("%.1f" % x for x in s.prediction([1, 3], "assigned")))'
same "of 1 and 3: 2 -+ 12.706 * sqrt(2) * sqrt(1.5)" "-20.0 24.0" "$(cd "$ROOT/tests" && python3 -Bc "$by_hand")"

by_hand='import studies_pretrain as s; print(*s.dip({0: 1, 6: 3, 12: 2, 18: 2, 24: 1, 30: 1}, 0), s.show([1, 3]))'
same "a dip: mean of four looks, the worst, when, back when; of 1 and 3: 2 -+ 12.706" \
  "1.0 2 6 24 2.000 [-10.706, 14.706]" "$(cd "$ROOT/tests" && python3 -Bc "$by_hand")"
by_hand='import sqlite3, studies_check as s
store = sqlite3.connect(":memory:")
store.executescript("create table run (id, arm, seed); create table metric (run_id, key, at_update, value);"
                    "insert into run values (1, \"late\", 7)")
store.executemany("insert into metric values (1, ?, ?, ?)", [("pretrain/held_out/" + key, step, loss)
    for key, more in (("a", 0), ("b", 2), ("a/image", 9))
    for step, loss in ((0, 1), (6, 3), (12, 2), (18, 2), (24, 1))])
print(*s.dips(store, {"arm": "late", "family": "0"}))
try:
    s.dips(store, {"arm": "late", "family": "6"})
except ValueError as error:
    print(error)'
same "a dip of a store: the mean of sources without pictures; of three looks there is none" \
  "1.0 a dip takes a look at step 6 and 4 after it: there are one and 3" \
  "$(cd "$ROOT/tests" && python3 -Bc "$by_hand" | tr '\n' ' ' | sed 's/ $//')"

short="--seed 7 --set warm.steps=2 --set warm.probe=0 --set train.updates=1 --set eval.tasks=4"
row quickstart annealed r_perf -1 2
# shellcheck disable=SC2086
out=$(check --rows "$SCRATCH/rows.tsv" $short)
same "inside passes" 0 $?
has "a run of one arm" "seed 7: 0." "$out"
has "and says so" "inside [-1.0, 2.0]" "$out"
row quickstart annealed r_perf 2 3
# shellcheck disable=SC2086
out=$(check --rows "$SCRATCH/rows.tsv" $short)
same "outside fails" 1 $?
has "and says so" "OUTSIDE [2.0, 3.0]" "$out"
