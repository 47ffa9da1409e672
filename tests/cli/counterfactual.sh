#!/bin/sh
# parl counterfactual: of a checkpoint, whose recipe it finds by name; the same on any number of threads; a policy
# that works alone has nothing to leave out; refusals.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/counterfactual
mkdir -p "$dir"
cd "$dir" || exit 1
cat >tiny.lua <<X2
return {
  name = "tiny", run = { threads = 1 },
  env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 80, episodes = 16, mix = "wide=1", probe = 8 },
  train = { updates = 2, tasks = 2, group = 4 },
  eval = { tasks = 30, baselines = "" },
  arms = { { name = "swarm" }, { name = "alone", warm = { mix = "serial=1" } } },
}
X2
code "train" 0 "$PARL" train tiny.lua --quiet
swarm=runs/tiny/checkpoints/swarm-s1.safetensors
whole=$("$PARL" counterfactual $swarm --json --quiet)
same "its recipe by name, on two threads" "$whole" "$("$PARL" counterfactual $swarm --json --quiet --set run.threads=2)"
same "its recipe by --recipe" "$whole" "$("$PARL" counterfactual $swarm --json --quiet --recipe "$dir/tiny.lua")"
ask() { python3 -c "import json, sys; r = json.load(sys.stdin); p = r['parts'][0]; print($1)"; }
# A policy that launches: without the launch less is done, and finishing there leaves everything undone.
same "launches, their worth" "30.0 True True True" "$(echo "$whole" | ask \
  "float(p['tasks']), p['without']['n'] > 20, p['without']['r_perf']['lo'] > 0, \
  p['finish']['r_perf']['value'] >= p['without']['r_perf']['value']")"
same "each is left out and stopped at" True "$(echo "$whole" | ask "r['rerolls'] == 2 * p['without']['n']")"
same "what is left out is asked for" "assignment replay" \
  "$("$PARL" counterfactual $swarm --json --quiet --at assignment --after replay --episodes 8 |
    ask "r['at'], r['after'], sep=' '")"
same "working alone" "0 None None" "$("$PARL" counterfactual runs/tiny/checkpoints/alone-s1.safetensors --json --quiet |
  ask "int(p['without']['n']), p['without']['same'], p['without']['r_perf']['value']")"
# Over orders every assignment has a share; all recorded turns follow.
same "shares over orders" "True True" "$("$PARL" counterfactual $swarm --json --quiet --at assignment --after replay \
  --orders 2 --episodes 8 | ask "p['orders']['n'] == p['without']['n'], r['rerolls'] > 2 * p['without']['n']")"
same "no orders, no shares" False "$(echo "$whole" | ask "'orders' in p")"
has "a row of them" 'over orders' "$("$PARL" counterfactual $swarm --quiet --episodes 8 --orders 2)"
has "a table" 'without it' "$("$PARL" counterfactual $swarm --quiet --episodes 8)"
code "no such file" 1 "$PARL" counterfactual none.safetensors
code "neither launch nor assignment" 2 "$PARL" counterfactual $swarm --at stage
code "no checkpoint" 2 "$PARL" counterfactual
mkdir elsewhere
cp $swarm elsewhere/
(cd elsewhere && code "no recipe of that name" 1 "$PARL" counterfactual swarm-s1.safetensors)
has "says what to do" 'named with --recipe' "$(cd elsewhere && "$PARL" counterfactual swarm-s1.safetensors 2>&1)"
