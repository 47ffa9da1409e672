#!/bin/sh
# parl sweep plan, run, sbatch and parl merge: jobs in folders of their own make what one command would have made.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
cat >base.lua <<X
return {
  name = "base", run = { n_seeds = 2, threads = 1, seed = 11, dir = "whole", checkpoint_every = 2 },
  env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 0 },
  train = { updates = 12, tasks = 3, group = 4 },
  eval = { tasks = 10, baselines = "serial" },
  arms = { { name = "shaped" }, { name = "plain", lambda1 = { start = 0.0 } } },
}
X

code "one command: exit code" 0 "$PARL" train base.lua --quiet
hashes whole >whole.txt

# The plan is a line a job, and stays.
code "plan: exit code" 0 "$PARL" sweep plan base.lua --set run.dir=merged -o jobs
has "plan: what it has" "4 jobs, 8 runs, 4 of them trained" "$(cat out)"
same "plan: a line a job" 4 "$(wc -l <jobs/manifest.jsonl | tr -d ' ')"
code "plan: the same again" 0 "$PARL" sweep plan base.lua --set run.dir=merged -o jobs
code "plan: another into the same folder" 2 "$PARL" sweep plan base.lua --set train.updates=9 -o jobs
has "plan: another is refused" "nothing is overwritten" "$(cat err)"
code "plan: two runs a job" 0 "$PARL" sweep plan base.lua --per-job 2 -o pairs --json
same "plan: two runs a job, of one warm start" "shaped 11 plain 11 untrained 11 serial 11" "$(python3 -c '
import json
for run in json.loads(open("pairs/manifest.jsonl").readline())["runs"]:
    print(run["run"]["name"], run["run"]["config"]["run"]["seed"], end=" ")' | sed 's/ $//')"
code "plan: bayes has none" 2 sh -c "echo \"return { recipe = 'base', arms = { 'shaped' }, method = 'bayes',
  parameters = { ['lambda1.start'] = { min = 0, max = 1 } } }\" >b.lua && \"$PARL\" sweep plan b.lua"
has "plan: bayes has none, and says why" "follows from the results of others" "$(cat err)"

# A job by its number; one that there is not; a warning of the limit stops it after a checkpoint.
code "run: no such job" 2 "$PARL" sweep run jobs --index 4
has "run: the range" "--index 4: 0 to 3" "$(cat err)"
code "run: job 2" 0 "$PARL" sweep run jobs --index 2 --quiet
[ -d jobs/jobs/00002 ] && [ ! -e jobs/jobs/00002.part ] && echo "ok a settled job has its name" ||
  echo "not ok a settled job has its name: $(ls jobs/jobs)"
code "merge: before all is made" 0 "$PARL" merge jobs
has "merge: what is missing" "3 of 4 jobs are not made yet" "$(cat out)"

i=0 # the signal comes when the job has a checkpoint, or a little later
"$PARL" sweep run jobs --index 0 >/dev/null 2>&1 &
job=$!
while [ ! -e jobs/jobs/00000.part/checkpoints/shaped-s11.safetensors ] && [ $i -lt 600 ] && kill -0 $job 2>/dev/null; do
  sleep 0.05
  i=$((i + 1))
done
kill -USR1 $job 2>/dev/null
wait $job
stopped=$?
case $stopped in
  75) echo "ok SIGUSR1: exit code 75" ;;
  0) echo "skip SIGUSR1: the job was quicker" ;;
  *) echo "not ok SIGUSR1: exit code $stopped" ;;
esac
[ $stopped -ne 75 ] || [ -d jobs/jobs/00000.part ] && echo "ok what was stopped is not settled" ||
  echo "not ok what was stopped is not settled"

# Killed outright, by many processes at once, in any order: the same bits.
"$PARL" sweep run jobs --index 1 >/dev/null 2>&1 &
job=$!
sleep 0.3
kill -9 $job 2>/dev/null
wait $job 2>/dev/null
seq 3 -1 0 | xargs -P 3 -I{} "$PARL" sweep run jobs --index {} --quiet >/dev/null 2>&1
code "run: what is left" 0 "$PARL" sweep run jobs --quiet --json
has "run: all are settled" '"settled":4' "$(cat out)"
code "merge: exit code" 0 "$PARL" merge jobs
has "merge: what came since" "merged: " "$(cat out)"
hashes merged >merged.txt
same "merge: the runs that one command makes" "$(cat whole.txt)" "$(cat merged.txt)"
cp merged/store.db before.db
code "merge: again" 0 "$PARL" merge jobs --json
has "merge: again copies nothing" '"copied":0' "$(cat out)"
has "merge: again, all are there" '"there":8' "$(cat out)"
code "merged: the whole command finds all done" 0 "$PARL" train base.lua --set run.dir=merged --quiet
has "merged: nothing is made" "4 runs (4 were done before)" "$(cat out)"
same "merged: the hashes stay" "$(cat whole.txt)" "$(hashes merged)"
code "merged: an episode is replayed" 0 "$PARL" replay merged 3 --arm shaped

# Two a job, by two processes that take what the other has not, into another folder: the same.
"$PARL" sweep run pairs --quiet >/dev/null 2>&1 &
other=$!
code "pairs: run" 0 "$PARL" sweep run pairs --quiet
wait $other
same "pairs: the other process: exit code" 0 $?
same "pairs: a database is one file" "" "$(find pairs -name 'store.db-*')"
code "pairs: merge" 0 "$PARL" merge pairs -o elsewhere
same "pairs: the same runs" "$(cat whole.txt)" "$(hashes elsewhere)"

# Damaged rows are refused; so is a script that is not what was planned.
python3 - <<'X'
import sqlite3
db = sqlite3.connect("pairs/jobs/00000/store.db")
db.execute("UPDATE metric SET value = value + 1 WHERE key = 'reward/perf' AND at_update = 3")
db.commit()
X
code "merge: damaged rows" 1 "$PARL" merge pairs -o again
has "merge: damaged rows are named" "pairs/jobs/00000" "$(cat err)"
cp "$ROOT/tests/envs/count.lua" mine.lua
sed "s,$ROOT/tests/envs/count.lua,mine.lua,; s/whole/other/" base.lua >mine-base.lua
code "edited: plan" 0 "$PARL" sweep plan mine-base.lua -o edited
echo "-- edited" >>mine.lua
code "edited: refused" 1 "$PARL" sweep run edited --index 0 --quiet
has "edited: named" "mine.lua" "$(cat err)"
[ -d edited/jobs/00000 ] && echo "not ok edited: nothing is settled" || echo "ok edited: nothing is settled"
printf '{"job":0}\n' >jobs/manifest.jsonl
code "a manifest that is none" 1 "$PARL" sweep run jobs
has "a manifest that is none: where" "jobs/manifest.jsonl:1" "$(cat err)"

# A failed run is settled, merged, and made again when asked for.
cat >bad.lua <<X
return {
  name = "bad", run = { threads = 1, dir = "bad" }, env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 4, episodes = 8, mix = "serial=1", probe = 0 },
  train = { updates = 40, tasks = 2, group = 2 }, eval = { tasks = 4, baselines = "" },
  optimizer = { lr = 1.0, clip = 0, warmup = 0 },
  arms = { { name = "bad" } },
}
X
code "failed: plan" 0 "$PARL" sweep plan bad.lua -o badjobs
"$PARL" sweep run badjobs --quiet >out 2>err
failed=$?
if [ $failed -eq 1 ]; then
  code "failed: merge" 0 "$PARL" merge badjobs
  has "failed: counted" "1 of them failed" "$(cat out)"
  has "failed: why is kept" "failed" "$("$PARL" runs bad)"
  code "failed: settled" 0 "$PARL" sweep run badjobs --quiet
  code "failed: made again when asked" 1 "$PARL" sweep run badjobs --quiet --retry-failed
else
  echo "not ok a run that diverges fails: exit code $failed"
fi

# The script for Slurm is one that a shell reads, and has the jobs that are missing.
code "sbatch: plan" 0 "$PARL" sweep plan base.lua -o "a b"
code "sbatch: a job is made before" 0 "$PARL" sweep run "a b" --index 1 --quiet
code "sbatch: exit code" 0 "$PARL" sweep sbatch "a b" --threads 3 --warning 90
cp out jobs.sh
code "sbatch: a shell reads it" 0 sh -n jobs.sh
has "sbatch: what is missing" "#SBATCH --array=0,2-3" "$(cat jobs.sh)"
has "sbatch: a warning" "#SBATCH --signal=B:USR1@90" "$(cat jobs.sh)"
code "sbatch: the script makes a job" 0 env SLURM_ARRAY_TASK_ID=3 SLURM_JOB_ID=1 sh jobs.sh
[ -d "a b/jobs/00003" ] && echo "ok sbatch: it is settled" || echo "not ok sbatch: it is settled"
