#!/bin/sh
# What an episode costs, and what its sub-agents' messages are worth: the recipe's fields, seen in what scripts reach.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/cost
mkdir -p "$dir"
recipe=$dir/count.lua
cat >"$recipe" <<X3
return {
  name = "count", run = { threads = 1, dir = "$dir/run" },
  env = { file = "$PWD/tests/envs/count.lua", params = { n = 4 } },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 4, episodes = 8, mix = "serial=0.5,wide=0.5", probe = 8 },
  train = { updates = 2, tasks = 2, group = 4 }, eval = { tasks = 50, baselines = "wide" },
  episode = { budget_factor = 0 }, agents = { subs = "scripted" },
}
X3
played() { # FIELDS ARGS...: those means of the script "wide"
  fields=$1
  shift
  "$PARL" eval "$recipe" --style wide --json "$@" 2>"$SCRATCH/err" | python3 -c '
import json, sys
means = json.load(sys.stdin)["sampled"]
print(*(round(means[name], 3) for name in sys.argv[1].split()))' "$fields"
}

# create, launch of 1 2 3 4 steps: 1 + 1 + 4; one after the other 1 + 1 + 10; two slots: 1 and 3, 2 and 4
steps="critical_steps total_steps makespan queue_steps"
same "as many slots as sub-agents" "6 12 6 0" "$(played "$steps")"
same "one slot" "6 12 12 10" "$(played "$steps" --set cost.concurrency=1)"
same "two slots" "6 12 8 3" "$(played "$steps" --set cost.concurrency=2)"
same "overheads" "6 12 13.5 0" \
  "$(played "$steps" --set cost.launch=2 --set cost.spawn=1 --set cost.step=0.25)"
same "a budget of the makespan" "9 0.25" \
  "$(played "makespan r_perf" --set cost.concurrency=1 --set episode.budget_counts=makespan \
    --set episode.budget_steps=9)"
same "a budget of tokens" "24 1" \
  "$(played "all_tokens end_budget" --set episode.budget_counts=tokens --set episode.budget_steps=24)"
code "tokens of an optimum in steps" 2 "$PARL" eval "$recipe" --style wide --quiet \
  --set episode.budget_counts=tokens --set episode.budget_factor=2
has "says what to set" "episode.budget_steps" "$(cat "$SCRATCH/err")"

on_slots() { # FIELD ARGS...
  field=$1
  shift
  "$PARL" eval "$recipe" --style wide --tasks 2 --json --set cost.slots=4 "$@" 2>"$SCRATCH/err" | python3 -c '
import json, sys
print(round(json.load(sys.stdin)["slots"][sys.argv[1]], 3))' "$field"
}
# Two such episodes. With one slot for orchestrators the first has launched at 3 and the second, a step behind, at 4;
# of the first, 1, 2 and 3 are at 3-4, 3-5, 3-6 and 4 at 4-8; of the second 1 at 5-6, and
# 2, 3, 4 at 6-8, 6-9, 8-12. The other way round one slot has 20 steps to do from 2 on.
same "the batch, one for orchestrators" "12" "$(on_slots batch_makespan --set cost.slot_share=0.25)"
same "the batch, three for orchestrators" "22" "$(on_slots batch_makespan --set cost.slot_share=0.75)"
same "the batch, by the queues" "1" "$(on_slots batch_makespan --set cost.slot_split=adaptive |
  python3 -c 'print(int(float(input()) < 12))')"
code "a machine of one slot" 2 "$PARL" eval "$recipe" --style wide --quiet --set cost.slots=1
has "says what to set" "set 2 or more" "$(cat "$SCRATCH/err")"
has "a share of no machine" "is not read where cost.slots = 0" \
  "$("$PARL" train "$recipe" --plan --set cost.slot_share=0.3 2>&1)"
has "a period of a fixed split" "is not read where cost.slot_split = fixed" \
  "$("$PARL" train "$recipe" --plan --set cost.slots=4 --set cost.slot_period=3 2>&1)"
"$PARL" train "$recipe" --quiet --set cost.slots=4 --set run.dir="$dir/slots" >/dev/null 2>&1
same "in the store, of every update" "2 7" "$(python3 -c '
import sqlite3, sys
sql = "select count(distinct at_update), count(distinct key) from metric where key like \"slots/%\""
print(*sqlite3.connect(sys.argv[1]).execute(sql).fetchone())' "$dir/slots/store.db")"

same "no message arrives" "0" "$(played r_perf --set agents.message_loss=1 --set episode.budget_steps=7)"
same "a false one" "0 4" "$(played "finish_rate false_messages" \
  --set agents.message_false=1 --set episode.budget_steps=6)"
same "late ones" "$(($(played critical_steps) + 2))" \
  "$(played critical_steps --set agents.message_late=1 --set agents.late_steps=2 --set episode.budget_steps=20)"
has "how late, of none" "is not read where agents.message_late = 0" \
  "$("$PARL" train "$recipe" --plan --set agents.late_steps=2 2>&1)"

same "as wide as the environment allows" "4 1" "$(played "max_width launches")"
same "evaluated with two at once" "2 2" "$(played "max_width launches" --set eval.max_width=2)"
same "evaluated with more than trained" "3 2" \
  "$(played "max_width launches" --set episode.max_width=1 --set eval.max_width=3)"
code "wider than the environment" 2 "$PARL" eval "$recipe" --style wide --quiet --set eval.max_width=9
has "names both" "eval.max_width = 9, but" "$(cat "$SCRATCH/err")"
code "trained with at most one at once" 0 "$PARL" train "$recipe" --quiet \
  --set episode.max_width=1 --set eval.max_width=4 --set train.store_episodes=all
same "trained with one, evaluated with four" "1 4 " "$(python3 -c '
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for table, arm in (("training_episode", "trained"), ("episode", "wide")):
    query = f"select max(max_width) from {table} join run on run.id = run_id where arm = ?"
    print(int(db.execute(query, (arm,)).fetchone()[0]), end=" ")' "$dir/run/store.db")"
