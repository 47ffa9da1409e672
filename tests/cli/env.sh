#!/bin/sh
# parl env new, check, play and bench as a user meets them; Ctrl-C; isolation in a process of its own.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
field() { # JSON EXPRESSION: of the document x
  printf '%s' "$1" | python3 -c "import json, sys; x = json.load(sys.stdin); print($2)"
}

# new
text=$("$PARL" env new sub/toy)
same "new: exit code" 0 $?
for file in toy.lua toy_recipe.lua toy_test.sh .luarc.json .luacheckrc .parl/parl.d.lua; do
  [ -s "sub/$file" ] && echo "ok new writes $file" || echo "not ok new writes $file: absent"
done
cp sub/toy.lua before.lua
text=$("$PARL" env new sub/toy 2>&1)
same "new refuses to overwrite: exit code" 1 $?
has "new refuses to overwrite" "is there already; nothing was written" "$text"
cmp -s sub/toy.lua before.lua && echo "ok the file is as it was" || echo "not ok the file is as it was: it changed"
"$PARL" env new sub/other >/dev/null
has "new keeps the editor's files" "kept  sub/.luarc.json" "$("$PARL" env new sub/third)"
text=$("$PARL" env new 'sub/no good' 2>&1)
same "new refuses a name" 2 $?
ln -s "$PARL" parl
PATH="$PWD:$PATH" TMPDIR="$PWD" sh sub/toy_test.sh >log.txt 2>&1 && echo "ok the new test passes" ||
  echo "not ok the new test passes: $(tail -n 5 log.txt | tr '\n' ' ')"
for tool in "luac5.4 -p toy.lua" "luac5.4 -p toy_recipe.lua" "luac5.4 -p .parl/parl.d.lua" \
  "luacheck -q toy.lua toy_recipe.lua"; do
  if ! command -v "${tool%% *}" >/dev/null; then
    echo "skip $tool: not installed"
  elif (cd sub && $tool) >log.txt 2>&1; then
    echo "ok $tool"
  else
    echo "not ok $tool: $(tail -n 3 log.txt | tr '\n' ' ')"
  fi
done
same ".luarc.json is JSON" "Lua 5.4" "$(field "$(cat sub/.luarc.json)" "x['runtime.version']")"

# check
json=$("$PARL" env check sub/toy.lua --json --tasks 6 --episodes 100)
same "check: exit code" 0 $?
same "check --json" "True []" "$(field "$json" "x['passed'], x['findings']" | tr -d '(),' | sed 's/ *\[/ [/')"
hash=$(field "$json" "x['hash']")
same "check --hash is the hash of check" "$hash" "$("$PARL" env check sub/toy.lua --hash --tasks 6)"
same "styles of check" "serial greedy_wide oracle random play" \
  "$(field "$json" "' '.join(s['style'] for s in x['styles'])")"
other=$("$PARL" env check sub/toy.lua --hash --tasks 6 --seed 2)
[ "$other" != "$hash" ] && echo "ok another seed, another hash" || echo "not ok another seed, another hash: same"
same "check --strict, the same hash" "$hash" "$("$PARL" env check sub/toy.lua --hash --tasks 6 --strict)"
for env in "$ROOT"/envs/*.lua; do
  "$PARL" env check "$env" --tasks 4 --episodes 50 >log.txt 2>&1 && echo "ok check ${env##*/}" ||
    echo "not ok check ${env##*/}: $(grep -A 2 FAULT log.txt | tr '\n' ' ')"
done
text=$("$PARL" env check nowhere.lua 2>&1)
same "check of no file: exit code" 1 $?
has "check of no file" "nowhere.lua" "$text"

# play
for style in serial greedy_wide oracle random; do
  has "play --as $style" "played by $style" "$("$PARL" env play sub/toy.lua --as $style)"
done
json=$("$PARL" env play sub/toy.lua --as greedy_wide --json --seed 3)
same "play --json: events" "start end" \
  "$(field "$json" "x['events'][0]['event'], x['events'][-1]['event']" | tr -d "(),'")"
same "play --json: facts" "1" "$(field "$json" "int(x['facts']['r_perf'])")"
same "play again, the same" "$json" "$("$PARL" env play sub/toy.lua --as greedy_wide --json --seed 3)"
text=$("$PARL" env play sub/toy.lua --as oracel 2>&1)
same "play of an unknown style: exit code" 2 $?
has "play of an unknown style" 'did you mean "oracle"' "$text"
text=$(printf 'bogus create_subagent agent_1 picker\nassign_task agent_1 tree:1 <go> finish\n' |
  "$PARL" env play sub/toy.lua --interactive)
has "interactive refuses" "bogus is not allowed here" "$text"
has "interactive lists" "allowed: finish create_subagent pick" "$text"
text=$(printf 'create_subagent agent_1 picker\nassign_task agent_1 tree:1 <go>\nfinish\n' |
  "$PARL" env play sub/toy.lua --interactive)
has "interactive plays" "1 sub-agents in 1 launches" "$text"
has "interactive ends with its input" "ended by finish after 1 turns" \
  "$("$PARL" env play sub/toy.lua --interactive </dev/null)"
(cd sub && "$PARL" train toy_recipe.lua --quiet --set warm.steps=3 --set warm.probe=8 --set train.updates=1 \
  --set eval.tasks=4 >/dev/null)
text=$("$PARL" env play sub/toy.lua --as sub/runs/toy/checkpoints/annealed-s1.safetensors)
same "play of a checkpoint: exit code" 0 $?
has "play of a checkpoint" "played by sub/runs/toy/checkpoints" "$text"
text=$("$PARL" env play "$ROOT/envs/chain.lua" --as sub/runs/toy/checkpoints/annealed-s1.safetensors 2>&1)
same "play of a foreign checkpoint: exit code" 1 $?
has "play of a foreign checkpoint" "vocabulary" "$text"

# bench
json=$("$PARL" env bench sub/toy.lua --json --seconds 0.05)
same "bench --json" "True True greedy_wide" \
  "$(field "$json" "x['episodes_per_s'] > 0, x['agent_steps_per_s'] > 0, x['style']" | tr -d "(),'")"
text=$("$PARL" env bench sub/toy.lua --as wid 2>&1 >/dev/null)
same "bench of an unknown style: exit code" 2 $?
has "bench of an unknown style" '--as: toy has no expert style "wid"' "$text"
has "bench" "agent steps/s" "$("$PARL" env bench sub/toy.lua --seconds 0.05 --as serial)"

# Options are checked.
for wrong in "env chek sub/toy.lua" "env check" "env check sub/toy.lua --as serial" "env play sub/toy.lua --hash" \
  "env bench sub/toy.lua --episodes 3" "env check sub/toy.lua --tasks many" \
  "env play sub/toy.lua --set env.params.tree=1" \
  "env new a b" "env check sub/toy.lua --set env.nonsense=1"; do
  # shellcheck disable=SC2086
  "$PARL" $wrong >log.txt 2>&1
  same "refused: $wrong" 2 $?
done

# A script that loops for minutes ends by Ctrl-C at once.
sed 's/^local function pick(.*/&\n  print("at work") while agent do end/' sub/toy.lua >loop.lua
cat >loop_recipe.lua <<X2
return { name = "loop", env = { file = "loop.lua", callback_s = 600 }, train = { updates = 2 },
  warm = { steps = 3, mix = "serial=1" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  eval = { baselines = "serial" } }
X2
at_work() { await grep "at work" log.txt; } # after rm -f log.txt, so that it is a new one
interrupt() { # NAME SIGNAL CODE ARGS...
  name=$1 signal=$2 wanted=$3
  shift 3
  rm -f log.txt
  "$PARL" "$@" >log.txt 2>&1 &
  pid=$!
  at_work
  kill -"$signal" $pid
  wait $pid
  same "$name: exit code" "$wanted" $?
}
interrupt "Ctrl-C in check" INT 130 env check loop.lua --set env.callback_s=600
interrupt "Ctrl-C in play" INT 130 env play loop.lua --as serial --set env.callback_s=600
interrupt "Ctrl-C in bench" INT 130 env bench loop.lua --set env.callback_s=600
interrupt "SIGTERM in check" TERM 143 env check loop.lua --set env.callback_s=600
interrupt "Ctrl-C in an isolated check" INT 130 env check loop.lua --isolate --set env.callback_s=600
interrupt "Ctrl-C in train" INT 130 train loop_recipe.lua

# A limit that is lower than ours already is kept, and is no failure.
for limit in "-n 40" "-t 300" "-v 3000000" "-f 1000" "-c 0"; do
  [ "$limit ${PARL_BUILD-}" = "-v 3000000 asan" ] && continue # which reserves terabytes
  # shellcheck disable=SC2086
  text=$(ulimit $limit; "$PARL" env play sub/toy.lua --as serial --isolate 2>&1)
  has "isolated under ulimit $limit" "played by serial" "$text"
done
same "the lower limit holds" "40 40" "$(
  ulimit -n 40
  rm -f log.txt
  "$PARL" env play loop.lua --as serial --isolate --set env.callback_s=600 >log.txt 2>&1 &
  pid=$!
  at_work
  read -r child _ <"/proc/$pid/task/$pid/children"
  sed -n 's/^Max open files *\([0-9]*\) *\([0-9]*\).*/\1 \2/p' "/proc/$child/limits"
  kill -KILL "$child"
  wait $pid
)"

# Isolation: the same results; what kills the child does not kill the parent.
same "isolated check, the same hash" "$("$PARL" env check sub/toy.lua --hash --tasks 6)" \
  "$("$PARL" env check sub/toy.lua --hash --tasks 6 --isolate)"
"$PARL" env check sub/toy.lua --tasks 4 --episodes 50 --isolate >/dev/null
same "isolated check: exit code" 0 $?
has "isolated play" "played by serial" "$("$PARL" env play sub/toy.lua --as serial --isolate)"
has "isolated bench" "agent steps/s" "$("$PARL" env bench sub/toy.lua --as serial --seconds 0.05 --isolate)"
rm -f log.txt
"$PARL" env play loop.lua --as serial --isolate --set env.callback_s=600 >log.txt 2>&1 &
pid=$!
at_work
read -r child _ <"/proc/$pid/task/$pid/children"
kill -KILL "$child"
wait $pid
same "the child is killed: exit code" 1 $?
has "the child is killed" "the script's process ended by signal 9" "$(cat log.txt)"
"$PARL" env play sub/toy.lua --isolate | sed 's/^/  /' >/dev/null
same "limits of the child" "Max open files 64 64" "$(
  rm -f log.txt
  "$PARL" env play loop.lua --as serial --isolate --set env.callback_s=600 >log.txt 2>&1 &
  pid=$!
  at_work
  read -r child _ <"/proc/$pid/task/$pid/children"
  sed -n 's/^\(Max open files\) *\([0-9]*\) *\([0-9]*\).*/\1 \2 \3/p' "/proc/$child/limits"
  kill -KILL "$child"
  wait $pid
)"
