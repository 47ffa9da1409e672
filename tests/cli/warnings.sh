#!/bin/sh
# What makes a run say less than it seems to is said once, stored with the run and repeated in the report.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
cat >odd.lua <<X2
return {
  name = "odd", run = { n_seeds = 1, checkpoint_every = 2 }, env = { file = "$ROOT/envs/lure.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 30, episodes = 16, mix = "serial=1,greedy_wide=1", probe = 0 },
  train = { updates = 6, tasks = 6, group = 4 }, eval = { tasks = 4, baselines = "serial,oracle" },
  episode = { budget_factor = 0.4 },
  objective = { advantage = "mean_std" },
  lambda1 = { start = 0.3, shape = "constant" }, lambda2 = { start = 0.3, shape = "constant" },
}
X2
"$PARL" train odd.lua >out 2>log || { cat log; echo "not ok train"; exit 1; }
same "lambda cancelled: said once" 1 "$(grep -c "cancels a common scale of lambda" log)"
has "measured at lambda and a tenth" "at a tenth of lambda" "$(cat log)"
same "budget below the optimum: said once" 1 "$(grep -c "the budget is below the optimum" log)"
has "measured" "mean budget" "$(cat log)"
grep -q "in 1 of 1 runs the budget is below the optimum" runs/odd/report.md &&
  echo "ok the report repeats it" || echo "not ok the report repeats it"
has "a baseline's detector" "serial_collapse" "$(cat runs/odd/report.html)"

# The mean takes nothing away: a tenth of lambda is a tenth of its advantage.
sed 's/"odd"/"even"/; s/mean_std/mean/; s/budget_factor = 0.4/budget_factor = 2/' odd.lua >even.lua
"$PARL" train even.lua >out 2>log || { cat log; echo "not ok train"; }
same "nothing to say of lambda" 0 "$(grep -c "cancels a common" log)"
same "nothing to say of the budget" 0 "$(grep -c "below the optimum" log)"
same "nothing to say of spread" 0 "$(grep -c "varies in no group" log)"

# A reward that is the same of every rollout teaches nothing.
sed 's/"even"/"flat"/; s/lambda1 = .*//
s/objective = .*/lambda1 = { start = 0 }, lambda2 = { start = 0 }, reward = { perf_lua = "0.5" },/' \
  even.lua >flat.lua
"$PARL" train flat.lua >out 2>log || { cat log; echo "not ok train"; }
same "no spread: said once" 1 "$(grep -c "update 0: the reward varies in no group of an update" log)"
grep -q "in 1 of 1 runs the reward varies in no group" runs/flat/report.md &&
  echo "ok the report repeats it" || echo "not ok the report repeats it"

# Which machine `auto` is, where that is the CPU.
"$PARL" train even.lua --plan --set run.dir=auto --set run.backend=auto >out 2>log || echo "not ok auto: $(cat log)"
case $("$PARL" doctor) in
  *'compute capability'*) echo "skip auto that is the CPU: there is a card" ;;
  *) same "auto is the CPU: said in one line" 1 "$(grep -c 'run.backend = "auto" is the CPU: backend cuda: ' log)" ;;
esac
