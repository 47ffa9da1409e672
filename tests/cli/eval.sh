#!/bin/sh
# parl eval and parl env play of a checkpoint: its own arm, seed and sub-agents, to the bits its run stored.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/eval
run=$dir/run
mkdir -p "$dir"
recipe=$dir/two.lua
cat >"$recipe" <<X3
return {
  name = "two", run = { threads = 1, checkpoint_every = 2, n_seeds = 2, dir = "$run" },
  env = { file = "$PWD/tests/envs/count.lua", params = { n = 4 } },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 30, episodes = 8, mix = "serial=0.5,wide=0.5", probe = 8 },
  train = { updates = 6, tasks = 4, group = 4 }, eval = { tasks = 40, baselines = "serial" },
  arms = { { name = "first", lambda1 = { start = 0.3 }, episode = { budget_factor = 4 } },
           { name = "last.1", optimizer = { lr = 0.05 }, agents = { temperature = 0.0 },
             model = { d_ff = 16 } } },
}
X3
code "train" 0 "$PARL" train "$recipe" --quiet

stored() { # ARM SEED: mean r_perf, sampled and greedy, every bit
  python3 - "$run/store.db" "$1" "$2" <<'X3'
import sqlite3, sys
q = "select r_perf from episode join run on run.id = run_id where arm = ? and seed = ? and decoding = ?"
db = sqlite3.connect(sys.argv[1])
for decoding in "sampled", "greedy":
    rows = [v for v, in db.execute(q, sys.argv[2:] + [decoding])]
    total = 0.0
    for v in rows:
        total += v
    print(repr(total / len(rows)), end=" ")
X3
}
played() { # ARGS...: the same of parl eval, then the arm and the seed
  "$PARL" eval "$recipe" --json "$@" 2>"$SCRATCH/err" | python3 -c '
import json, sys
j = json.load(sys.stdin)
print(repr(float(j["sampled"]["r_perf"])), repr(float(j["greedy"]["r_perf"])), j["arm"], j["seed"])'
}

for arm in first last.1; do
  for seed in 1 2; do
    same "$arm, seed $seed: what its run stored" "$(stored $arm $seed)$arm $seed" \
      "$(played --checkpoint "$run/checkpoints/$arm-s$seed.safetensors")"
    same "$arm, seed $seed: nothing to say" "" "$(cat "$SCRATCH/err")"
  done
done
cp "$run/checkpoints/last.1-s2.safetensors" "$dir/moved.safetensors"
same "a file elsewhere is still its run's" "$(stored last.1 2)last.1 2" \
  "$(played --checkpoint "$dir/moved.safetensors")"
for seed in 1 2; do
  same "the warm start of seed $seed, by --seed" "$(stored untrained $seed)first $seed" "$(played --seed $seed)"
done
for file in "$run"/checkpoints/warm-*; do
  case $(played --checkpoint "$file") in
    "$(stored untrained 1)first 1" | "$(stored untrained 2)first 2" | *" last.1 1" | *" last.1 2")
      echo "ok a warm start's own" ;;
    *) echo "not ok a warm start's own: $(played --checkpoint "$file")" ;;
  esac
done
has "--arm and --seed override" " last.1 1" "$(played --checkpoint "$run/checkpoints/last.1-s2.safetensors" --seed 1)"
code "--arm of another architecture is refused" 1 "$PARL" eval "$recipe" --arm first \
  --checkpoint "$run/checkpoints/last.1-s2.safetensors"
code "an unknown arm" 2 "$PARL" eval "$recipe" --arm fist
has "an unknown arm: text" 'did you mean "first"?' "$(cat "$SCRATCH/err")"
code "an unknown style" 2 "$PARL" eval "$recipe" --style wid
has "an unknown style: text" 'did you mean "wide"?' "$(cat "$SCRATCH/err")"
played --checkpoint "$run/checkpoints/first-s1.safetensors" --set train.updates=7 >"$dir/out"
has "another configuration says in what" "with other values of train.updates" "$(cat "$SCRATCH/err")"
same "another configuration keeps arm and seed" "$(stored first 1)first 1" "$(cat "$dir/out")"

# A checkpoint of another recipe says what was assumed.
sed 's/name = "two"/name = "other"/; s/"first"/"third"/' "$recipe" >"$dir/other.lua"
code "foreign" 0 "$PARL" eval "$dir/other.lua" --set run.dir="$dir/other" --tasks 2 \
  --checkpoint "$run/checkpoints/first-s2.safetensors"
has "foreign: text" 'first-s2.safetensors is of no run of this recipe: played as arm "third", seed 1' \
  "$(cat "$SCRATCH/err")"

# env play: the sub-agents of a checkpoint are its warm start, or what its run or --set says.
play() { # SEED ARGS...: the events
  seed=$1
  shift
  "$PARL" env play "$PWD/tests/envs/count.lua" --json --seed "$seed" "$@" 2>"$SCRATCH/err" |
    sed 's/.*"events"/"events"/'
}
checkpoint=$run/checkpoints/first-s1.safetensors
warm=$(python3 - "$checkpoint" <<'X3'
import json, struct, sys
f = open(sys.argv[1], "rb")
header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
print(json.loads(header["__metadata__"]["progress"])["warm"])
X3
)
n_other=0
for seed in 1 2 3 4 5 6 7 8 9 10 11 12; do
  own=$(play $seed --as "$checkpoint")
  [ "$own" = "$(play $seed --as "$checkpoint" --set agents.checkpoint="$run/checkpoints/$warm")" ] ||
    echo "not ok play seed $seed: sub-agents are not the warm start"
  [ "$own" = "$(play $seed --as "$checkpoint" --set agents.checkpoint="$checkpoint")" ] || n_other=$((n_other + 1))
done
[ -n "$own" ] && [ "$n_other" -gt 0 ] && echo "ok play: sub-agents are the warm start, agents.checkpoint another" ||
  echo "not ok play: agents.checkpoint changes nothing"
same "play says nothing" "" "$(cat "$SCRATCH/err")"
n_other=0
for seed in 1 2 3 4 5 6 7 8; do
  scripted=$(play $seed --as "$checkpoint" --set agents.subs=scripted --set agents.reliability=0)
  [ "$scripted" = "$(play $seed --as "$checkpoint")" ] || n_other=$((n_other + 1))
done
[ $n_other -gt 0 ] && echo "ok play: scripted by --set" || echo "not ok play: scripted by --set: the same events"
cp "$checkpoint" "$dir/alone.safetensors"
play 1 --as "$dir/alone.safetensors" >/dev/null
has "play: the warm start is missing" "the warm start of its run is not beside it: $warm" "$(cat "$SCRATCH/err")"
code "play: a policy without a file" 2 "$PARL" env play tests/envs/count.lua --as wide --set agents.subs=policy
has "play: a policy without a file: text" "agents.checkpoint" "$(cat "$SCRATCH/err")"
