#!/bin/sh
# parl replay: evaluated and training episodes of a run, played again to what the store has.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/replay
run=$dir/run
mkdir -p "$dir"
recipe=$dir/two.lua
cat >"$recipe" <<X3
return {
  name = "two", run = { threads = 1, checkpoint_every = 2, n_seeds = 2, dir = "$run" },
  env = { file = "$PWD/tests/envs/count.lua", params = { n = 4 } },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 30, episodes = 8, mix = "serial=0.5,wide=0.5", probe = 8 },
  train = { updates = 3, tasks = 2, group = 4, store_episodes = "all" },
  eval = { tasks = 12, baselines = "wide", max_width = 3 }, cost = { concurrency = 2, spawn = 0.1 },
  arms = { { name = "first", lambda1 = { start = 0.3 }, episode = { budget_factor = 4 } },
           { name = "lossy", optimizer = { lr = 0.05 },
             agents = { message_loss = 0.3, message_false = 0.3 } },
           { name = "scripted", episode = { budget_counts = "tokens", budget_steps = 40 },
             agents = { subs = "scripted", reliability = 0.7 } } },
}
X3
code "train" 0 "$PARL" train "$recipe" --quiet

all() { # WHAT N ARGS...: the first N episodes, each as stored
  what=$1 n=$2
  shift 2
  for i in $(seq 0 $((n - 1))); do
    "$PARL" replay "$run" "$i" --json "$@" 2>"$SCRATCH/err"
  done | python3 -c '
import json, sys
text, at, same, n = sys.stdin.read(), 0, 0, 0
while at < len(text.rstrip()):
    episode, end = json.JSONDecoder().raw_decode(text, at)
    same, n, at = same + episode["same"], n + 1, end + 1
print(same, n)' >"$SCRATCH/out"
  same "$what" "$n $n" "$(cat "$SCRATCH/out")"
}
for arm in first lossy scripted; do
  all "$arm, seed 2: sampled" 4 --arm "$arm" --seed 2
  all "$arm, seed 1: greedy" 4 --arm "$arm" --seed 1 --greedy
  all "$arm: training" 8 --arm "$arm" --update 1
done
all "the warm start" 3 --arm "$(sqlite3 "$run/store.db" "select arm from run where arm like 'untrained%'" | head -1)"
all "a script" 3 --arm "$(sqlite3 "$run/store.db" "select arm from run where arm like 'wide%'" | head -1)"

code "for a reader" 0 "$PARL" replay "$run" 3 --arm first --update 2
has "shows the episode" "turn 1" "$(cat "$SCRATCH/out")"
has "says that it is the same" "as stored, to the last bit" "$(cat "$SCRATCH/out")"
has "says how" "by its recorded tokens" "$(cat "$SCRATCH/out")"

code "no such arm" 2 "$PARL" replay "$run" 0 --arm frist
has "names it" "no run of arm frist" "$(cat "$SCRATCH/err")"
code "no such task" 2 "$PARL" replay "$run" 900
has "says how many" "eval.tasks = 12" "$(cat "$SCRATCH/err")"
code "no such update" 2 "$PARL" replay "$run" 0 --update 9
code "no number" 2 "$PARL" replay "$run" x

# What is stored of an episode is what it is compared with.
cp -r "$run" "$dir/edited"
sqlite3 "$dir/edited/store.db" "update training_episode set critical_steps = critical_steps + 1 where rollout = 0"
code "an edited row" 1 "$PARL" replay "$dir/edited" 0 --arm first --update 1
has "the store's digest notices" "store.db" "$(cat "$SCRATCH/err")"

# Without the policy's weights its training goes on being known, its evaluation does not.
cp -r "$run" "$dir/gone"
rm "$dir/gone/checkpoints/first-s1.safetensors"
code "weights gone" 1 "$PARL" replay "$dir/gone" 0 --arm first
has "names them" "first-s1.safetensors" "$(cat "$SCRATCH/err")"
code "tokens are there" 0 "$PARL" replay "$dir/gone" 0 --arm first --update 1
rm "$dir/gone"/checkpoints/warm-*
code "sub-agents gone" 1 "$PARL" replay "$dir/gone" 0 --arm first --update 1
has "names them, too" "weights of its sub-agents are gone" "$(cat "$SCRATCH/err")"
cp "$PWD/tests/envs/count.lua" "$dir/other.lua"
echo "-- another" >>"$dir/other.lua"
code "another script" 1 "$PARL" replay "$run" 0 --arm first --update 1 --env "$dir/other.lua"
has "says so" "script" "$(cat "$SCRATCH/err")"

# The stored parameters are all of them, a preset's name among them.
code "a recipe with a preset" 0 "$PARL" train experiments/recipes/quickstart.lua --quiet --set "run.dir=$dir/preset" \
  --set run.n_seeds=1 --set train.updates=1 --set warm.steps=4 --set warm.probe=0 --set eval.tasks=6 \
  --set train.store_episodes=sample
code "evaluated" 0 "$PARL" replay "$dir/preset" 2
code "trained" 0 "$PARL" replay "$dir/preset" 5 --update 0
