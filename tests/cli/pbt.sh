#!/bin/sh
# method = "pbt": a population finds a schedule, the same one however it is interrupted; the schedule alone, from
# scratch, makes the same run; it is compared on other seeds only.
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
  train = { updates = 16, tasks = 3, group = 4 }, optimizer = { lr = 0.01 },
  eval = { tasks = 10, baselines = "serial" },
  arms = { { name = "shaped" }, { name = "plain", lambda1 = { start = 0.0 } } },
}
X
# sweep NAME PBT [MORE]: writes NAME.lua
sweep() {
  echo "return { recipe = 'base', arms = { 'shaped' }, dir = '$1', method = 'pbt', points = 4, pbt = $2, ${3:-}
    parameters = { ['lambda1.table'] = { min = 0.01, max = 2, distribution = 'log_uniform',
      also = { 'lambda2.table' } } } }" >"$1.lua"
}

sweep p "{ interval = 5, quantile = 0.5, tasks = 20 }" "top_seeds = 2,"
code "plan: exit code" 0 "$PARL" sweep p --plan
has "plan: when the population is ranked" "after 5, 10, 15 updates the worst go on as one of the best" "$(cat out)"
has "plan: the first members" "shaped pbt 3" "$(cat out)"
code "pbt: exit code" 0 "$PARL" sweep p --quiet
same "as many members as points" 4 "$(get p/sweep.json 'len(d["points"])')"
same "the replaced are pruned, both seeds" 12 "$(ask p/points "SELECT count(*) FROM run WHERE status = 'pruned'")"
same "the best is trained anew on other seeds" "[11, 12] [13, 14] 1" \
  "$(get p/sweep.json '"%s %s %d" % (d["seeds"], d["top_seeds"], len(d["top"]))')"
table='max((q["values"]["lambda1.table"] for q in d["points"]), key=len)'
has "a schedule was found" " 15:" "$(get p/sweep.json "$table")"
has "the terminal has the schedule" 'lambda1.table = "0:' "$(cat out)"
has "the report says so" "was among the worst of the population" "$(cat p/points/report.md)"
same "no run that chose is in the folder of the best" 0 "$(ask p "SELECT count(*) FROM run WHERE seed < 13")"

# What was copied was not made again: its times are those of the member that was copied.
same "the copied part is not made again" 0 "$(ask p/points "SELECT count(*) FROM run r JOIN metric m ON m.run_id = r.id
  WHERE key = 'time/learn_s' AND at_update = 0 AND CAST(substr(arm, 12) AS INTEGER) > 3 AND arm LIKE 'shaped pbt %'
  AND value NOT IN (SELECT value FROM run q JOIN metric n ON n.run_id = q.id
    WHERE n.key = m.key AND n.at_update = 0 AND q.seed = r.seed AND CAST(substr(q.arm, 12) AS INTEGER) < 4)")"

# A member that went on from another's checkpoint is the run that its schedule makes from scratch.
python3 - <<X
import json
d = json.load(open("p/sweep.json"))
m = max(d["points"], key=lambda q: len(q["values"]["lambda1.table"]))
w = '{ shape = "table", table = "%s" }' % m["values"]["lambda1.table"]
text = open("base.lua").read()
i = text.index("  arms =")
open("scratch.lua", "w").write(text[:i].replace('"base"', '"p"') +
    "  arms = { { name = '%s', lambda1 = %s, lambda2 = %s } } }" % (m["arm"], w, w))
open("arm", "w").write(m["arm"])
X
code "from scratch: exit code" 0 "$PARL" train scratch.lua --quiet --set run.dir=scratch
of="SELECT uid, hash FROM run WHERE arm = '$(cat arm)' ORDER BY seed"
same "from scratch: the same runs" "$(ask p/points "$of")" "$(ask scratch "$of")"
# The best is a recipe of its own.
code "best.json: exit code" 0 "$PARL" train p/best.json --quiet
has "best.json: nothing is left to train" "4 were done before" "$(cat out)"

# Killed and shared it finds the same.
cp p/sweep.json whole.json
hashes p/points >whole
code "again: exit code" 0 "$PARL" sweep p --quiet
cmp -s p/sweep.json whole.json && echo "ok again: the same" || echo "not ok again: another sweep.json"
killed_and_shared p p/points "0.3 0.6 0.9 0.4"

# A member whose checkpoint is damaged fails, and so do those that copy it: they are replaced, and told of all the same.
if [ -n "${PARL_TEST_SHORT-}" ]; then
  echo "skip a member that fails: seconds that a sanitizer makes minutes"
else
  sed "s/updates = 16/updates = 60/; s/name = \"base\"/name = \"slow\"/" base.lua >slow.lua
  sweep d "{ interval = 20, quantile = 0.5, tasks = 20 }"
  sed -i "s/'base'/'slow'/" d.lua
  "$PARL" sweep d --quiet >/dev/null 2>&1 &
  victim=$!
  looked() { [ "$(ask d/points "SELECT count(*) FROM rung")" -ge 8 ]; } # all four, both seeds
  await looked
  kill -9 "$victim"
  wait "$victim" 2>/dev/null
  arm=$(ask d/points "SELECT arm FROM run JOIN rung ON run.id = run_id GROUP BY arm ORDER BY sum(r_perf) DESC LIMIT 1")
  : >"d/points/checkpoints/$arm-s11.safetensors"
  code "a member that fails: exit code" 1 "$PARL" sweep d --quiet
  has "a member that fails: told" "arm \"$arm\", seed 11: " "$(cat err)"
  has "a member that fails: as it failed" "$arm 11 stopped" "$(ask d/points "SELECT arm, seed, status FROM run")"
  same "a member that fails: the sums agree" \
    "$(get d/sweep.json 'd["pruned"]') True" \
    "$(ask d/points "SELECT count(*) FROM run WHERE status = 'pruned'") $(get d/sweep.json 'd["failed"] >= 1')"
fi

refused() { # WHAT TEXT
  code "$1: exit code" 2 "$PARL" sweep bad --plan
  has "$1: why" "$2" "$(cat err)"
}
sweep bad "{ interval = 16 }"
refused "no ranking before the end" "pbt.interval = 16 of 16 updates"
sweep bad "{ quantile = 0.6 }"
refused "more than half" "pbt.quantile"
sweep bad "{}" "metric = 'success',"
refused "another metric" "ranks by r_perf"
sweep bad "{}" "early_terminate = { type = 'asha' },"
refused "pruning beside it" "replaces the worst itself"
sweep bad "{}"
sed -i "s/lambda1.table/lambda1.start/" bad.lua
refused "what is no table" "varies tables of weights over updates"
code "no jobs: exit code" 2 "$PARL" sweep plan p -o jobs
has "no jobs: why" 'method = "pbt"' "$(cat err)"
