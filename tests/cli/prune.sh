#!/bin/sh
# early_terminate: what is pruned follows from the sweep alone, is never made twice, and enters no mean.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
cat >base.lua <<X
return {
  name = "base", run = { n_seeds = 2, threads = 2, seed = 11, checkpoint_every = 3 },
  env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 0 },
  train = { updates = 20, tasks = 3, group = 4 },
  eval = { tasks = 10, baselines = "serial" },
  lambda1 = { over = 0.2 }, lambda2 = { over = 0.2 },
  arms = { { name = "shaped" }, { name = "plain", lambda1 = { start = 0.0 } } },
}
X
# sweep NAME EARLY [MORE]: writes NAME.lua
sweep() {
  echo "return { recipe = 'base', arms = { 'shaped' }, dir = '$1', early_terminate = $2, ${3:-}
    parameters = { ['optimizer.lr'] = { values = { 1e-4, 0.003, 0.01, 0.03 } },
      ['train.group'] = { values = { 2, 4 } } } }" >"$1.lua"
}
made() { sed -n 's/ done \([0-9a-f]*\) [0-9a-f]*$/ \1/p'; } # of hashes: those of whole runs, whatever sweep they are of
count_updates() { ask "$1" "SELECT count(*) FROM metric WHERE key = 'reward/total'"; }

# The plan says where.
sweep asha "{ type = 'asha', eta = 2, tasks = 20 }"
code "plan: exit code" 0 "$PARL" sweep asha --plan
has "plan: the rungs, from where the last weight has annealed" "after 4, 8, 16 updates the best 1/2" "$(cat out)"
[ -e asha ] && echo "not ok a plan makes nothing: there is a folder" || echo "ok a plan makes nothing"

code "a sweep that prunes: exit code" 0 "$PARL" sweep asha --quiet
has "what was pruned is listed" "pruned, by r_perf of other tasks on the way: " "$(cat out)"
n=$(get asha/sweep.json 'd["pruned"]')
same "whole points and pruned ones are all" 8 "$(get asha/sweep.json 'len(d["points"])')"
same "some are whole" True "$(get asha/sweep.json 'd["points"][0]["n"] == 2 and "pruned" not in d["points"][0]')"
same "the pruned have no mean" True \
  "$(get asha/sweep.json 'all(p["mean"] is None for p in d["points"] if "pruned" in p)')"
same "of each point both seeds are" "$n" "$(get asha/sweep.json '2 * sum("pruned" in p for p in d["points"])')"
same "the store says so" "$n" "$(ask asha "SELECT count(*) FROM run WHERE status = 'pruned'")"
same "rungs tell points apart" True \
  "$(get asha/sweep.json 'len({p["pruned"]["r_perf"] for p in d["points"] if "pruned" in p}) > 1')"
has "the report says so" "runs were pruned by their r\\_perf on the way and enter no number" "$(cat asha/report.md)"
has "the report lists them" "which is not among the best 1/2 there" "$(cat asha/report.md)"

# Whoever makes it, in whatever order, the same are pruned; killed, it goes on; nothing is made twice.
cp asha/sweep.json whole.json
hashes asha >whole
updates=$(count_updates asha)
code "again: exit code" 0 "$PARL" sweep asha --quiet
has "again: nothing is made" "18 runs (18 were done before, $n pruned)" "$(cat out)"
rm -r asha
code "one at a time: exit code" 0 "$PARL" sweep asha --quiet --jobs 1
cmp -s asha/sweep.json whole.json && echo "ok one at a time: the same" ||
  echo "not ok one at a time: another sweep.json"
killed_and_shared asha asha "0.2 0.4 0.6 0.3"
same "killed and shared: as many updates" "$updates" "$(count_updates asha)"

# A run that was looked at is the run that was not; without pruning the pruned are made whole.
plain="s/early_terminate = {[^}]*},//"
sed "$plain; s/dir = 'asha'/dir = 'all'/" asha.lua >all.lua
code "without pruning: exit code" 0 "$PARL" sweep all --quiet
hashes all | made >all.txt
made <whole | grep -vxFf all.txt >other && echo "not ok a look changes nothing: $(head -n 1 other)" ||
  echo "ok a look changes nothing"
sed "$plain; s/dir/name = 'asha', dir/" asha.lua >later.lua
code "the pruned made whole: exit code" 0 "$PARL" sweep later --quiet
hashes asha | made | cmp -s - all.txt && echo "ok the pruned made whole: the same bits" ||
  echo "not ok the pruned made whole: other hashes"
# Runs that passed a rung unlooked take no part.
sed "s/dir = 'asha'/name = 'all', dir = 'all'/" asha.lua >late.lua
code "pruning what is whole: exit code" 0 "$PARL" sweep late --quiet
same "pruning what is whole: nothing is" "False 22" "$(get all/sweep.json '"pruned" in d') $(hashes all | made | wc -l)"

# What would prune by something else than the sweep is about is refused, with both numbers.
refused() { # WHAT TEXT
  code "$1: exit code" 2 "$PARL" sweep bad --plan
  has "$1: why" "$2" "$(cat err)"
}
sweep bad "{ type = 'asha', min_updates = 3 }"
refused "before a weight has annealed" "min_updates = 3: lambda1 has annealed after 4 updates"
sweep bad "{ type = 'asha', min_updates = 20 }"
refused "no rung before the end" "the first rung is after 20 updates, but a run has 20"
sweep bad "{ type = 'asha' }" "metric = 'critical_steps', goal = 'minimize',"
refused "another metric" "wants the least critical_steps"
sweep bad "{ type = 'asha' }" "method = 'bayes',"
refused "bayes" "learns from whole runs"
sweep bad "{ type = 'ash' }"
refused "an unknown type" "early_terminate.type"
sweep bad "{ type = 'asha', min_iter = 3 }"
refused "an unknown field" "min_iter"
sweep bad "{ type = 'asha' }"
sed -i "s/'train.group'/'train.updates'/; s/{ 2, 4 }/{ 20, 30 }/" bad.lua
refused "runs of two lengths" "train.updates is 20"
sweep bad "{ type = 'asha' }"
sed "s/lambda2 = { over = 0.2 }/lambda2 = { shape = 'closed_loop', metric = 'launch_rate', start = 0.2 }/" \
  base.lua >loop.lua
sed -i "s/'base'/'loop'/" bad.lua
refused "a weight that follows a metric" "lambda2: it follows a metric"
code "no jobs: exit code" 2 "$PARL" sweep plan asha -o jobs
has "no jobs: why" "there are no jobs" "$(cat err)"
