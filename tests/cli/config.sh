#!/bin/sh
# A command line against a recipe: --set of every arm and of one, what it refuses, what it warns of, what parl help
# lists for Lua expressions.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/config
mkdir -p "$dir"
recipe=$dir/two.lua
cat >"$recipe" <<X3
return {
  name = "two", run = { threads = 1, checkpoint_every = 2 },
  env = { file = "$PWD/tests/envs/count.lua", params = { n = 4 } },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 4, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 8 },
  train = { updates = 3, tasks = 2, group = 4 }, eval = { tasks = 6, baselines = "serial" },
  arms = { { name = "an-0.3", lambda1 = { shape = "linear", start = 0.3 } },
           { name = "none", lambda1 = { shape = "constant", start = 0.0 } } },
}
X3

lambdas() { # ARM: lambda1 of every update
  python3 - "$dir/run/store.db" "$1" <<'X3'
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute(
    'select value from metric join run on run.id = run_id where arm = ? and key = "lambda/lambda1" order by "update"',
    sys.argv[2:])
print(" ".join("%.3g" % v for v, in rows))
X3
}
train() { # NAME ARGS...: trains in a new folder
  name=$1
  shift
  rm -rf "$dir/run"
  code "$name: exit code" 0 "$PARL" train "$recipe" --quiet --set run.dir="$dir/run" "$@"
}

train "as it is"
same "as it is: annealed" "0.3 0.133 0" "$(lambdas an-0.3)"
same "as it is: none" "0 0 0" "$(lambdas none)"
same "as it is: no warning" "" "$(cat "$SCRATCH/err")"
train "--set of a field that arms set" --set lambda1.shape=constant --set lambda1.start=0.5
same "--set: first arm" "0.5 0.5 0.5" "$(lambdas an-0.3)"
same "--set: second arm" "0.5 0.5 0.5" "$(lambdas none)"
train "--set of one arm" --set none:lambda1.start=0.25 --set lambda1.start=0.5
same "--set ARM: first arm" "0.5 0.222 0" "$(lambdas an-0.3)"
same "--set ARM: the arm's own wins" "0.25 0.25 0.25" "$(lambdas none)"
train "a schedule that names a metric" --set lambda1.shape=lua --set lambda1.lua="0.3*(1-launch_rate)" \
  --set none:lambda1.start=0.125
same "at update 0 it is start" "0.125" "$(lambdas none | cut -d" " -f1)"
train "rounding is no negative weight" --set lambda1.shape=lua --set lambda1.lua="0.2 - 0.1*t"
same "rounding" "0.2 0.1 0" "$(lambdas none)"

warned() { # NAME PART ARGS...
  name=$1 part=$2
  shift 2
  train "$name" "$@"
  has "$name: warning" "$part" "$(cat "$SCRATCH/err")"
}
warned "not read" "lambda1.period=7 changes nothing: lambda1.period is not read where" --set lambda1.period=7
warned "replaced" "train.tasks=1 changes nothing: --set train.tasks=2 after it" --set train.tasks=1 --set train.tasks=2

# Refused with exit code 2 and no folder, before anything runs.
refused() { # NAME PART ARGS...
  name=$1 part=$2
  shift 2
  rm -rf "$dir/run"
  code "$name: exit code" "${WANTED:-2}" "$PARL" train "$recipe" --quiet --set run.dir="$dir/run" "$@"
  has "$name: text" "$part" "$(cat "$SCRATCH/err")"
  [ ! -e "$dir/run" ] && echo "ok $name: no folder" || echo "not ok $name: left $dir/run"
}
refused "type" "--set lambda1.start=abc" --set lambda1.start=abc
refused "nan" "lambda1.start" --set lambda1.start=nan
refused "range" "in [0, 1000]" --set an-0.3:lambda1.start=-1
refused "unknown arm" 'no arm "an-0.4"; did you mean "an-0.3"?' --set an-0.4:lambda1.start=1
refused "unknown key" 'did you mean "start"?' --set none:lambda1.strat=1
refused "seeds" "run.n_seeds = 3" --set run.seed=9007199254740991 --set run.n_seeds=3
refused "group of one" "train.group = 1 with objective.advantage" --set train.group=1
refused "style of the mix" 'did you mean "serial"?' --set warm.mix=seriel=1
refused "style of the baselines" 'did you mean "wide"?' --set eval.baselines=wid
refused "style of the sub-agents" 'did you mean "wide"?' --set agents.subs=scripted --set agents.style=wid
refused "parameter" "did you mean 'n'?" --set env.params.m=3
refused "closed loop outside its range" "initial = 0.9" --set lambda1.shape=closed_loop --set lambda1.start=0.5 \
  --set lambda1.initial=0.9
refused "metric of the closed loop" 'did you mean "launch_rate"?' --set lambda1.shape=closed_loop \
  --set lambda1.start=0.5 --set lambda1.metric=launch_rat
WANTED=1
refused "negative schedule" "update 3 gives -0.1" --set lambda1.shape=lua --set lambda1.lua="0.2 - 0.1*t" \
  --set train.updates=4
refused "name in a reward" "r_pref" --set reward.perf_lua=r_pref
refused "name in a schedule" "lauch_rate" --set lambda1.shape=lua --set lambda1.lua=lauch_rate
unset WANTED

refused "sizes of the model" "model.n_kv_heads = 3 does not divide model.n_heads = 2" --set model.n_kv_heads=3
refused "backend" 'unknown backend "cpux"' --set run.backend=cpux
refused "context" "model.max_context = 20" --set model.max_context=20
WANTED=1
refused "no such checkpoint" "agents.checkpoint: $dir/none.safetensors" --set agents.checkpoint="$dir/none.safetensors"
echo "no checkpoint" >"$dir/text.safetensors"
refused "no checkpoint" "agents.checkpoint: " --set agents.checkpoint="$dir/text.safetensors"
unset WANTED

# Sizes that memory does not hold are named as the recipe names them.
if [ "${PARL_BUILD-}" = asan ]; then
  echo "skip too large: a sanitizer reserves terabytes"
else
  (ulimit -v 2000000; "$PARL" train "$recipe" --quiet --set run.dir="$dir/large" --set train.tasks=100000 \
    --set train.group=10 >"$SCRATCH/out" 2>"$SCRATCH/err")
  has "too large" "train.tasks * train.group = 1000000 episodes with limits.context = " "$(cat "$SCRATCH/err")"
fi

# A preset that the recipe leaves nothing of is refused; one that it leaves a part of is shown.
sed 's|params = { n = 4 }|params = { rows_min = 4, rows_max = 9 }|; s|file = "[^"]*"|file = "envs/wide_search.lua"|
     s|mix = "[^"]*"|mix = "serial=1"|; s|"wide"|"greedy_wide"|' "$recipe" >"$dir/rows.lua"
code "a preset of nothing" 2 "$PARL" train "$dir/rows.lua" --plan --set env.params.preset=huge
has "a preset of nothing: text" 'env.params.preset = "huge" changes nothing: all that it sets (rows_max, rows_min)' \
  "$(cat "$SCRATCH/err")"
code "a preset in part" 0 "$PARL" train "$dir/rows.lua" --plan --set env.params.preset=hard
has "a preset in part: text" 'preset = "hard", but for rows_max, rows_min' "$(cat "$SCRATCH/out")"
has "a preset in part: what is left of it" 'columns = 3' "$(cat "$SCRATCH/out")"
has "a preset in part: a warning" "preset=hard changes only what the recipe leaves: not rows_max, rows_min" \
  "$(cat "$SCRATCH/err")"
code "a preset alone" 0 "$PARL" train "$dir/rows.lua" --plan --set 'env.params={"preset":"hard"}'
has "a preset alone: text" 'rows_max = 24' "$(cat "$SCRATCH/out")"
same "a preset alone: no warning" "" "$(cat "$SCRATCH/err")"

# The plan: what would be made, and what the folder has of it; nothing is written.
rm -rf "$dir/run"
plan() { code "plan $1: exit code" 0 "$PARL" train "$recipe" --plan --set run.dir="$dir/run" --set train.updates=2; }
plan "of nothing"
[ ! -e "$dir/run" ] && echo "ok plan: no folder" || echo "not ok plan: left $dir/run"
has "plan: first arm" 'an-0.3           lambda1.shape = "linear", lambda1.start = 0.3' "$(cat "$SCRATCH/out")"
has "plan: second arm" 'none             lambda1.shape = "constant", lambda1.start = 0' "$(cat "$SCRATCH/out")"
has "plan: parameters" "n = 4" "$(cat "$SCRATCH/out")"
has "plan: warm starts" "1 warm start, 0 made" "$(cat "$SCRATCH/out")"
has "plan: runs" "4 runs, 2 of them trained; 0 done" "$(cat "$SCRATCH/out")"
train "what was planned" --set train.updates=2
plan "of all"
has "plan: warm starts made" "1 warm start, 1 made" "$(cat "$SCRATCH/out")"
has "plan: runs done" "4 runs, 2 of them trained; 4 done" "$(cat "$SCRATCH/out")"
code "plan --json" 0 "$PARL" train "$recipe" --plan --json --set run.dir="$dir/run" --set train.updates=2 \
  --set run.n_seeds=2
same "plan --json" "2 3 4 4 pending 0.3" "$(python3 -c '
import json, sys
p = json.load(open(sys.argv[1]))
done = [r for r in p["runs"] if r["status"] == "done"]
print(len(p["arms"]), len(p["arms"][0]["differs"]) + 1, len(done), len(p["runs"]) - len(done),
      p["runs"][1]["status"], p["arms"][0]["differs"]["lambda1.start"])' "$SCRATCH/out")"

# Arms that mean something.
for arm in untrained serial wide oracle; do
  sed "s/name = \"none\"/name = \"$arm\"/" "$recipe" >"$dir/named.lua"
  code "arm $arm: exit code" 2 "$PARL" train "$dir/named.lua" --quiet --set run.dir="$dir/named"
  has "arm $arm: text" "that name means" "$(cat "$SCRATCH/err")"
  [ ! -e "$dir/named" ] && echo "ok arm $arm: no folder" || echo "not ok arm $arm: left $dir/named"
done

# Everything that help lists may be named; what an environment need not state is NaN, which is no reward.
for name in $("$PARL" help reward | sed -n '/^facts:/,/^$/{/NaN if/!s/^  \([a-z_]*\) .*/\1/p}'); do
  printf '%s' "+ $name"
done >"$dir/facts"
has "help reward lists facts" "duplicates" "$(cat "$dir/facts")"
train "every fact" --set reward.perf_lua="0 $(cut -c1-240 "$dir/facts" | sed 's/+[^+]*$//')"
for name in $("$PARL" help schedule | sed -n '/^clock:/,$s/^  \([a-z_0-9]*\) .*/\1/p'); do
  "$PARL" train "$recipe" --quiet --set run.dir="$dir/m" --set lambda1.shape=lua --set lambda1.lua="0*$name" \
    --set model.max_context=20 2>"$SCRATCH/err" # which is looked at later
  grep -q "model.max_context = 20" "$SCRATCH/err" || echo "not ok schedule of $name: $(cat "$SCRATCH/err")"
done
echo "ok help schedule"
