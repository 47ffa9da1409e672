#!/bin/sh
# parl trace: an episode of the store as a picture; calls and messages where it can be played again, and why where not.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
cat >two.lua <<X2
return {
  name = "two", run = { threads = 1, n_seeds = 1, dir = "run" }, env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 20, episodes = 8, mix = "serial=0.5,wide=0.5", probe = 8 },
  train = { updates = 2, tasks = 2, group = 2, store_episodes = "all" }, eval = { tasks = 6, baselines = "wide" },
  arms = { { name = "<b>first" } },
}
X2
code "train" 0 "$PARL" train two.lua --quiet

code "a script's" 0 "$PARL" trace run 2 --arm wide
has "lanes" "sub-agent 1" "$(cat out)"
has "the critical path" "█" "$(cat out)"
has "calls" "create_subagent" "$(cat out)"
has "played again" "as stored to the last bit" "$(cat out)"
same "no colour in a file" 0 "$(grep -c "$(printf '\033')" out)"
for columns in 60 80 200; do
  "$PARL" trace run 1 --arm "<b>first" --columns $columns >out 2>err
  same "$columns columns" 0 "$(python3 -c '
import sys
lines = [l for l in sys.stdin.read().split("\n\n", 1)[1].rsplit("\n\n", 1)[0].split("\n")]
print(sum(len(l) > int(sys.argv[1]) for l in lines))' $columns <out)"
done

# Every evaluated episode and every training episode, in JSON: the numbers are those of the row.
sqlite() {
  python3 -c 'import sqlite3, sys
print(*[r[0] for r in sqlite3.connect("run/store.db").execute(sys.argv[1])])' "$1"
}
all() { for i in 0 1 2 3 4 5; do "$PARL" trace run $i --json "$@" 2>/dev/null; done | python3 -c '
import json, sys
rows = [json.loads(l) for l in sys.stdin if l.strip()]
print(*sorted(r["episode"]["critical_steps"] for r in rows))
assert all("as stored" in r["note"] for r in rows), rows
assert all("calls" in t for r in rows for t in r["episode"]["turns"])
assert all("message" in s for r in rows for t in r["episode"]["turns"] for s in t["subs"] if s["outcome"] != "lost")'; }
order='cast(critical_steps as int) from episode e join run r on r.id = e.run_id'
same "of a script" "$(sqlite "select $order where r.arm = 'wide' order by critical_steps")" "$(all --arm wide)"
same "sampled" "$(sqlite "select $order where r.arm = '<b>first' and decoding = 'sampled' order by critical_steps")" \
  "$(all --arm '<b>first')"
same "greedy" "$(sqlite "select $order where r.arm = '<b>first' and decoding = 'greedy' order by critical_steps")" \
  "$(all --arm '<b>first' --greedy)"
code "of training" 0 "$PARL" trace run 3 --arm '<b>first' --update 1
has "says so" "update 1, episode 3" "$(cat out)"

code "a page" 0 "$PARL" trace run 1 --arm '<b>first' --html page.html
same "names its file" page.html "$(cat out)"
has "a picture" '<svg xmlns="http://www.w3.org/2000/svg" class="episode"' "$(cat page.html)"
same "obeys no name" 0 "$(grep -c '<b>' page.html)"
code "does not overwrite" 2 "$PARL" trace run 1 --html page.html
has "says so" "--force" "$(cat err)"
code "but with --force" 0 "$PARL" trace run 1 --arm wide --html page.html --force

# Without what played it the stored turns are still there.
rm -r run/checkpoints
code "without the weights" 0 "$PARL" trace run 1 --arm '<b>first'
has "says what is missing" "no calls and messages: " "$(cat out)"
has "and shows the turns" "turn 1" "$(cat out)"

code "no such arm" 2 "$PARL" trace run 0 --arm wid
has "names it" "no run of arm wid" "$(cat err)"
code "no such task" 2 "$PARL" trace run 900
has "says how many" "eval.tasks = 6" "$(cat err)"
code "no such update" 2 "$PARL" trace run 0 --update 9
code "no number" 2 "$PARL" trace run x
code "no store" 1 "$PARL" trace nowhere 0
