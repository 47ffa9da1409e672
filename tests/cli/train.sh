#!/bin/sh
# parl train as a user meets it: kill -9 and go on, signals, --json, exit codes, refusals that lose nothing.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/train
mkdir -p "$dir"
recipe=$dir/tiny.lua
cat >"$recipe" <<X2
return {
  name = "tiny", run = { n_seeds = 2, checkpoint_every = 2 },
  env = { file = "$PWD/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 16 },
  train = { updates = 60, tasks = 3, group = 4 },
  eval = { tasks = 10, baselines = "serial,wide" },
  arms = { { name = "a", lambda1 = { start = 0.3 } }, { name = "b", lambda1 = { start = 0.0 } } },
}
X2

hash_of() { sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/'; }
train() { "$PARL" train "$recipe" --quiet "$@"; }

whole=$(train --json --set run.dir="$dir/whole" | hash_of)
same "hash has 64 digits" 64 "${#whole}"
for part in report.html report.json report.md report.csv report_seeds.csv report_curves.csv store.db; do
  [ -s "$dir/whole/$part" ] && echo "ok wrote $part" || echo "not ok wrote $part: absent"
done
same "one thread, the same bits" "$whole" "$(train --json --set run.dir="$dir/one" --set run.threads=1 | hash_of)"

# kill -9 at several moments; the same command ends with the same bits.
for moment in 0.05 0.2 0.5; do
  "$PARL" train "$recipe" --quiet --json --set run.dir="$dir/killed$moment" >/dev/null 2>&1 &
  pid=$!
  sleep "$moment"
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
  same "killed after $moment s, the same bits" "$whole" "$(train --json --set run.dir="$dir/killed$moment" | hash_of)"
done

# SIGTERM asks to stop: exit code 143, resumable.
"$PARL" train "$recipe" --quiet --set run.dir="$dir/term" --set train.updates=100000 >/dev/null 2>"$dir/term.err" &
pid=$!
await ls "$dir/term/checkpoints/a-s1.safetensors"
kill -TERM $pid
wait $pid
same "exit code of SIGTERM" 143 $?
has "stopped says so" "the same command continues" "$(cat "$dir/term.err")"

# So it does while the weights of a large model are made, which takes long by itself.
"$PARL" train "$recipe" --quiet --set run.dir="$dir/large" --set model.d_model=4096 --set model.n_layers=24 \
  --set model.d_ff=256 >/dev/null 2>"$dir/large.err" &
pid=$!
await ls "$dir/large/checkpoints"
kill -TERM $pid
wait $pid
same "SIGTERM while weights are made: exit code" 143 $?
case $(cat "$dir/large.err") in # the latter where it came before the first weight
  *"stopped while the weights were made"* | *"stopped before every run was made"*)
    echo "ok SIGTERM while weights are made: not later" ;;
  *) echo "not ok SIGTERM while weights are made: not later: $(cat "$dir/large.err")" ;;
esac

# A terminal that goes away asks to stop as well, unless the command was told to outlive it.
"$PARL" train "$recipe" --quiet --set run.dir="$dir/hup" --set train.updates=100000 >/dev/null 2>"$dir/hup.err" &
pid=$!
await ls "$dir/hup/checkpoints/a-s1.safetensors"
kill -HUP $pid
wait $pid
same "exit code of SIGHUP" 129 $?
has "SIGHUP: a checkpoint" "stopped after update" "$(cat "$dir/hup.err")"
nohup "$PARL" train "$recipe" --quiet --json --set run.dir="$dir/nohup" >"$dir/nohup.out" 2>/dev/null &
pid=$!
await ls "$dir/nohup/store.db"
kill -HUP $pid
wait $pid
same "nohup: the same bits" "$whole" "$(hash_of <"$dir/nohup.out")"

# A script that is edited while runs are made: none is made of two scripts.
cp tests/envs/count.lua "$dir/edited.lua"
"$PARL" train "$recipe" --quiet --set run.dir="$dir/edited" --set env.file="$dir/edited.lua" >/dev/null \
  --set train.updates=2000 2>"$dir/edited.err" &
pid=$!
await ls "$dir/edited/checkpoints/a-s1.safetensors"
echo "-- edited" >>"$dir/edited.lua"
wait $pid
same "an edited script: exit code" 1 $?
has "an edited script: text" "edited.lua: the script, or what it includes, changed after" "$(cat "$dir/edited.err")"
same "an edited script: no run is done" 0 "$("$PARL" runs "$dir/edited" | grep -c ' done ')"

# A run that diverges fails by itself: the other arm is trained, and the command line was right.
bad='name = "bad", optimizer = { lr = 1.0, clip = 0, warmup = 0 }, objective = { entropy_bonus = 10 }'
sed "s/arms = {/arms = { { $bad },/" "$recipe" >"$dir/diverges.lua"
diverging() { "$PARL" train "$dir/diverges.lua" --quiet --set run.dir="$dir/diverges" --set train.updates=40 "$@"; }
text=$(diverging 2>&1 >/dev/null)
same "diverging arm: exit code" 1 $?
has "diverging arm: text" 'arm "bad", seed 1: ' "$text"
same "diverging arm: the others are done" 6 \
  "$("$PARL" runs "$dir/diverges" | grep -c '^[ab]  *[12]  done\|^untrained .* done')"
same "diverging arm: it failed" 2 "$("$PARL" runs "$dir/diverges" | grep -c '^bad .* failed')"

# A disk that is full (a limit on the size of files stands in for it): an error that names the file, and once there
# is room the same command goes on to the same bits.
(ulimit -f 40; "$PARL" train "$recipe" --quiet --set run.dir="$dir/full" >/dev/null 2>"$dir/full.err")
same "full disk: exit code" 1 $?
has "full disk: text" "$dir/full/" "$(cat "$dir/full.err")"
same "room again, the same bits" "$whole" "$(train --json --set run.dir="$dir/full" | hash_of)"

# Refusals: exit code 2 for what the user wrote, 1 for what failed; nothing is lost.
refused() { # NAME CODE PART ARGS...
  name=$1 code=$2 part=$3
  shift 3
  text=$("$PARL" "$@" 2>&1 >/dev/null)
  same "$name: exit code" "$code" $?
  has "$name: text" "$part" "$text"
}
refused "unknown verb" 2 'did you mean "train"' trian x
refused "unknown option" 2 'did you mean --json' train "$recipe" --jsn
refused "no recipe" 2 "train takes RECIPE" train
refused "missing recipe" 1 "nowhere.lua" train "$dir/nowhere.lua"
refused "unknown key" 2 'updates' train "$recipe" --set train.updatse=3
refused "unknown section" 2 'did you mean "train"' train "$recipe" --set tran.updates=3
refused "wrong type" 2 'train.updates' train "$recipe" --set train.updates=yes
refused "out of range" 2 '0' train "$recipe" --set train.updates=-3
refused "unknown environment parameter" 2 'm' train "$recipe" --set env.params.m=3 --set run.dir="$dir/r1"
refused "other configuration" 2 "in optimizer.lr; nothing is overwritten: name another folder with --set run.dir=" \
  train "$recipe" --set optimizer.lr=0.01 --set run.dir="$dir/whole"
checkpoints=$(ls "$dir/whole/checkpoints")
refused "other warm start" 2 "in warm.steps" train "$recipe" --set warm.steps=11 --set run.dir="$dir/whole"
same "refused before the warm start" "$checkpoints" "$(ls "$dir/whole/checkpoints")"
printf 'return { name = "x", env = { file = 3 } }' >"$dir/type.lua"
refused "wrong type in a recipe" 2 "env.file" train "$dir/type.lua"
printf 'return { name = "x",\n  oops = function() end }' >"$dir/function.lua"
refused "function in a recipe" 2 "oops" train "$dir/function.lua"
printf 'return {\n  name = = 3 }' >"$dir/syntax.lua"
refused "syntax error" 1 "syntax.lua:2" train "$dir/syntax.lua"
printf 'while true do end' >"$dir/hang.lua"
refused "recipe that hangs" 1 "hang.lua:1" train "$dir/hang.lua"

# An environment that errors, hangs or eats memory ends the run with its place; the store stays good.
for fault in 'error("boom")' 'while true do end' 'local t = {} while true do t[#t + 1] = { {} } end'; do
  sed "s/if k == world.fail_at then error(\"work refused on purpose\") end/$fault/" tests/envs/count.lua >"$dir/bad.lua"
  cmp -s "$dir/bad.lua" tests/envs/count.lua && echo "not ok fault was written: sed changed nothing"
  rm -rf "$dir/fault"
  refused "environment: $fault" 1 "bad.lua" train "$recipe" --quiet --set env.file="$dir/bad.lua" \
    --set env.callback_s=0.2 --set env.memory_mib=8 --set run.dir="$dir/fault"
done

# Foreign and damaged files.
mkdir -p "$dir/foreign"
printf 'this is not a database, and it is the only copy' >"$dir/foreign/store.db"
cp "$dir/foreign/store.db" "$dir/foreign.copy"
refused "foreign store" 1 "store.db" train "$recipe" --set run.dir="$dir/foreign"
cmp -s "$dir/foreign/store.db" "$dir/foreign.copy" && echo "ok foreign store is untouched" ||
  echo "not ok foreign store is untouched: it changed"
cp -r "$dir/term" "$dir/damaged" # its runs are not finished: they need their warm starts
for file in "$dir"/damaged/checkpoints/warm-*.safetensors; do
  head -c 1000 "$file" >"$file.short" && mv "$file.short" "$file"
done
refused "truncated checkpoint" 1 "warm-" train "$recipe" --set run.dir="$dir/damaged" --set train.updates=100000
same "after all that, the finished run is intact" "$whole" "$(train --json --set run.dir="$dir/whole" | hash_of)"

# The other verbs.
has "runs lists" "done" "$("$PARL" runs "$dir/whole")"
has "report prints" "What it took" "$("$PARL" report "$dir/whole")"
has "report --json" '"schema":1' "$("$PARL" report "$dir/whole" --json)"
refused "report of nothing" 1 "store.db" report "$dir"
has "runs --json" '"arm":"a"' "$("$PARL" runs "$dir/whole" --json)"
has "eval of a script" '"r_perf":1' "$("$PARL" eval "$recipe" --style wide --tasks 5 --json \
  --set agents.subs=scripted --set run.dir="$dir/whole")"
has "eval of a checkpoint" '"greedy"' "$("$PARL" eval "$recipe" \
  --checkpoint "$dir/whole/checkpoints/a-s1.safetensors" --tasks 5 --json --set run.dir="$dir/whole")"
refused "eval of an unknown style" 2 "wid" eval "$recipe" --style wid --tasks 5 --set run.dir="$dir/whole"
has "doctor" "backends" "$("$PARL" doctor)"
has "doctor --json" '"lua":"Lua 5.4' "$("$PARL" doctor --json)"
has "help recipe" "lambda1" "$("$PARL" help recipe)"
has "help of an environment" "fail_at" "$("$PARL" help tests/envs/count.lua)"
has "version" "parl " "$("$PARL" --version)"
has "completion" "--set" "$(bash -c 'eval "$("$PARL" completion bash)"
  COMP_WORDS=(parl train --s) COMP_CWORD=2; _parl; echo "${COMPREPLY[@]}"')"
