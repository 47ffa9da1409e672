#!/bin/sh
# What is stored of episodes: an outsider's program (that of docs/store.md) counts every fact and every term again,
# under every definition of the terms; training episodes on request change no result and go back with their checkpoint.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
awk '/^<!-- append recount.py -->$/ { want = 1; next } /^```/ { if (inside) exit; inside = want; next } inside' \
  "$ROOT/docs/store.md" >recount.py
cat >kept.lua <<'E'
local function arm(name, parallel, finish, early)
  return { name = name, reward = { parallel = parallel, finish = finish }, lambda_early = { start = early } }
end
return {
  name = "kept",
  env = { file = "envs/wide_search.lua" },
  episode = { budget_factor = 2.0 },
  agents = { subs = "scripted", reliability = 0.7 },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 1, head_dim = 8, d_ff = 24 },
  warm = { steps = 12, episodes = 32, probe = 0, mix = "greedy_wide=0.6,serial=0.4" },
  train = { updates = 4, tasks = 4, group = 4, store_episodes = "all" },
  run = { checkpoint_every = 2 },
  eval = { tasks = 8, baselines = "greedy_wide" },
  arms = {
    arm("a", "instantiation", "returned", 0), arm("b", "concurrency", "useful", 0.2),
    arm("c", "overlap", "returned", 0.1), arm("d", "width", "useful", 0),
  },
}
E
mkdir -p envs && cp -R "$ROOT"/envs/* envs/
query() { # DATABASE SQL
  python3 -c 'import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(*row)' "$1" "$2"
}
train() { # FOLDER ARGUMENTS...
  folder=$1
  shift
  "$PARL" train kept.lua --set run.dir="$folder" "$@" >out.txt 2>err.txt
}

train all
same "training keeps its episodes" 0 $?
recounted=$(python3 recount.py all/store.db)
same "all is counted again" "and 64 means of terms recounted" "${recounted#* episodes }"
same "there are sub-agents in it" 1 "$(query all/store.db 'SELECT sum(assigned) > 100 FROM training_episode')"
same "every update, every rollout" "4 4 16" \
  "$(query all/store.db 'SELECT count(DISTINCT run_id), count(DISTINCT at_update), count(DISTINCT rollout)
    FROM training_episode')"

# What is kept changes no result.
train none --set train.store_episodes=none
train sample --set train.store_episodes=sample
hashes='SELECT arm, hash FROM run ORDER BY arm'
same "the hash is the same without" "$(query all/store.db "$hashes")" "$(query none/store.db "$hashes")"
same "and with a sample" "$(query all/store.db "$hashes")" "$(query sample/store.db "$hashes")"
same "none are kept by default" 0 "$(query none/store.db 'SELECT count(*) FROM training_episode')"
first='SELECT arm, e.at_update, e.task_seed, e.rollout, e.stages FROM training_episode e JOIN run ON run.id = run_id
  WHERE rollout < 4 ORDER BY arm, e.at_update, e.rollout'
same "a sample is the first group" "$(query all/store.db "$first")" "$(query sample/store.db "$first")"
same "and nothing else" 64 "$(query sample/store.db 'SELECT count(*) FROM training_episode')"
for file in report_seeds.csv report_curves.csv; do
  cmp -s "none/$file" "all/$file"
  same "the report does not see them: $file" 0 $?
done
train none --set train.store_episodes=all
same "another setting is another run" 2 $?
has "and says so" "in train.store_episodes" "$(cat err.txt)"

# A run that was killed goes on: what was kept after its checkpoint is played again, and is the same.
one() { # FOLDER
  "$PARL" train kept.lua --set run.dir="$1" --set train.updates=60 --set run.checkpoint_every=20 --set eval.tasks=2 \
    --set run.n_seeds=1 --set eval.baselines= >out.txt 2>err.txt
}
rows='SELECT arm, e.at_update, e.rollout, e.stages, e.r_perf FROM training_episode e JOIN run ON run.id = run_id
  ORDER BY arm, e.at_update, e.rollout'
one whole
one killed &
pid=$!
for _ in $(seq 100); do
  last=$(query killed/store.db 'SELECT coalesce(max(at_update), 0) FROM training_episode' 2>/dev/null || echo 0)
  [ "${last:-0}" -ge 25 ] && break
  sleep 0.1
done
pkill -9 -P $pid 2>/dev/null
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
one killed
same "a killed run goes on" 0 $?
query whole/store.db "$rows" >due.txt
query killed/store.db "$rows" >got.txt
cmp -s due.txt got.txt
same "to the same episodes" 0 $?
same "of every update" 3840 "$(wc -l <got.txt | tr -d ' ')"
same "and the same result" "$(query whole/store.db "$hashes")" "$(query killed/store.db "$hashes")"

# They are under the digest.
python3 - all/store.db <<'E'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE training_episode SET stages = '[]' WHERE at_update = 1 AND rollout = 3")
db.commit()
E
"$PARL" report all >out.txt 2>err.txt
same "a changed row is found" 1 $?
has "and named" "is not what was stored" "$(cat err.txt)"
