#!/bin/sh
# parl sweep: points made once, a killed sweep goes on to the same bits, seeds that choose are not those reported.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
cat >base.lua <<X
return {
  name = "base", run = { n_seeds = 2, threads = 1, seed = 11 },
  env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 0 },
  train = { updates = 20, tasks = 3, group = 4 },
  eval = { tasks = 10, baselines = "serial" },
  arms = { { name = "shaped" }, { name = "plain", lambda1 = { start = 0.0 } } },
}
X
# sweep NAME TEXT: writes NAME.lua
sweep() {
  echo "return { recipe = 'base', arms = { 'shaped' }, dir = '$1', $2 }" >"$1.lua"
}
get() { # FILE EXPRESSION of d
  python3 -c "import json,sys; d = json.load(open(sys.argv[1])); print($2)" "$1"
}

# The plan names every arm and makes nothing.
sweep grid "top = 1, top_seeds = 2,
  parameters = { ['lambda1.start'] = { values = { 0.1, 0.3 } }, ['train.group'] = { values = { 2, 4 } } }"
code "plan: exit code" 0 "$PARL" sweep grid --plan
for name in "shaped start=0.1 group=2" "shaped start=0.3 group=4" "plain "; do
  has "plan: $name" "$name" "$(cat out)"
done
has "plan: 4 points and plain, two seeds" "of them trained; 0 done" "$(cat out)"
[ -e grid ] && echo "not ok a plan makes nothing: there is a folder" || echo "ok a plan makes nothing"
code "plan --json is JSON" 0 sh -c '"$PARL" sweep grid --plan --json | python3 -m json.tool'

# Killed again and again, and made at once: the same result. Two processes share the work.
code "a sweep: exit code" 0 "$PARL" sweep grid.lua --quiet
has "the ranking" "rank" "$(cat out)"
has "reports" "report of the best: grid/report.html" "$(cat out)"
for file in report.html points/report.html sweep.json; do
  [ -s "grid/$file" ] && echo "ok grid/$file" || echo "not ok grid/$file: missing"
done
same "points in the ranking" 4 "$(get grid/sweep.json 'len(d["points"])')"
same "the best is trained anew" 1 \
  "$(get grid/sweep.json 'd["top"][0]["arm"] == d["points"][0]["arm"] and len(d["top"])')"
means='[p["mean"] for p in d["points"]]'
same "the ranking falls" True "$(get grid/sweep.json "$means == sorted($means, reverse=True)")"
same "seeds of the points" "[11, 12]" "$(get grid/sweep.json 'd["seeds"]')"
same "seeds that chose nothing" "[13, 14]" "$(get grid/sweep.json 'd["top_seeds"]')"
seeds() { "$PARL" runs "$1" --json | sed 's/.*"seed":\([0-9]*\).*/\1/' | sort -u | tr '\n' ' '; }
same "seeds in the folder of the points" "11 12 " "$(seeds grid/points)"
same "seeds in the folder of the best" "13 14 " "$(seeds grid)"
has "what stays is beside the best" "plain" "$("$PARL" runs grid)"

cp grid/sweep.json whole.json
code "again: exit code" 0 "$PARL" sweep grid --quiet
has "again: nothing is made" "14 runs (14 were done before)" "$(cat out)"
cmp -s grid/sweep.json whole.json && echo "ok again: the same" || echo "not ok again: another sweep.json"

mv grid first
for _ in 1 2 3; do
  "$PARL" sweep grid --quiet >/dev/null 2>&1 &
  victim=$!
  sleep 0.3
  kill -9 "$victim" 2>/dev/null
  wait "$victim" 2>/dev/null
done
"$PARL" sweep grid --quiet >/dev/null 2>&1 &
code "beside another: exit code" 0 "$PARL" sweep grid --quiet --jobs 1
wait
cmp -s grid/sweep.json whole.json && echo "ok killed and shared: the same" ||
  echo "not ok killed and shared: another sweep.json"

# Bayes goes on from what is there.
sweep bayes "method = 'bayes', points = 6, initial = 3, n_seeds = 1,
  metric = 'critical_steps', goal = 'minimize',
  parameters = { ['lambda1.start'] = { min = 0.01, max = 1, distribution = 'log_uniform' },
    ['train.group'] = { min = 2, max = 6, distribution = 'int_uniform' } }"
code "bayes: exit code" 0 "$PARL" sweep bayes --quiet --json
same "bayes: points" 6 "$(get out 'len(d["points"])')"
same "bayes: the least is first" True "$(get out "$means == sorted($means)")"
cp bayes/sweep.json whole.json
code "bayes again: exit code" 0 "$PARL" sweep bayes --quiet
cmp -s bayes/sweep.json whole.json && echo "ok bayes again: the same" || echo "not ok bayes again: another sweep.json"
has "bayes again: nothing is made" "(7 were done before)" "$(cat out)"

# A point that fails is kept as failed, the others are ranked; --retry-failed tries again.
sweep fails "n_seeds = 1, parameters = { ['optimizer.lr'] = { values = { 1e-3, 1 } } }"
sed 's/train = {/optimizer = { clip = 0, warmup = 0 }, train = {/; s/updates = 20/updates = 40/' base.lua >other.lua
sed "s/'base'/'other'/" fails.lua >failing.lua
code "a point that fails: exit code" 1 "$PARL" sweep failing --quiet
has "a point that fails: why" "not finite" "$(cat err)"
same "a point that fails is last" "[1, 0]" "$(get fails/sweep.json '[p["n"] for p in d["points"]]')"
same "a point that fails has no mean" "None" "$(get fails/sweep.json 'd["points"][1]["mean"]')"
code "a point that failed stays failed: exit code" 1 "$PARL" sweep failing --quiet
has "a point that failed: what to do" "retry-failed" "$(cat err)"

# What is wrong is said before anything is made.
code "an unknown field: exit code" 2 "$PARL" sweep grid --quiet --set train.nonsense=1
has "an unknown field is named" "nonsense" "$(cat err)"
code "what varies is not set: exit code" 2 "$PARL" sweep grid --set train.group=3
has "what varies is not set: why" "varies train.group" "$(cat err)"
code "no such sweep: exit code" 1 "$PARL" sweep nowhere
has "no such sweep: where it was looked for" "nowhere.lua" "$(cat err)"
