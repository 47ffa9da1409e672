#!/bin/sh
# Several processes on one run folder: each run is made once, a killed one's work is taken over, the bits are those of
# one process. What `parl runs` says meanwhile, and how it makes room.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/share
mkdir -p "$dir"
recipe=$dir/tiny.lua
cat >"$recipe" <<X2
return {
  name = "tiny", run = { n_seeds = 2, threads = 1, checkpoint_every = 5 },
  env = { file = "$PWD/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 16 },
  train = { updates = 100, tasks = 3, group = 4 },
  eval = { tasks = 10, baselines = "serial,wide" },
  arms = { { name = "a", lambda1 = { start = 0.3 } }, { name = "b", lambda1 = { start = 0.0 } } },
}
X2
train() { "$PARL" train "$recipe" --quiet --json --set run.dir="$dir/$1"; }
field() { sed "s/.*\"$2\":\"\\{0,1\\}\\([0-9a-f]*\\).*/\\1/" "$dir/$1.out"; }
statuses() { "$PARL" runs "$dir/$1" --json | sed 's/.*"status":"\([a-z]*\)".*/\1/' | sort | uniq -c | tr -s ' \n' ' '; }

train whole >"$dir/whole.out"
whole=$(field whole hash)
same "one process: updates" 400 "$(field whole updates)"

# Each run is made by one of them: together they make every update once.
share() { # NAME PROCESSES
  for k in $(seq "$2"); do
    train "$1" >"$dir/$1.$k.out" 2>"$dir/$1.$k.err" &
  done
  wait
  sum=0
  for k in $(seq "$2"); do
    same "$2 processes: hash of number $k" "$whole" "$(field "$1.$k" hash)"
    sum=$((sum + $(field "$1.$k" updates)))
  done
  same "$2 processes: updates of all" 400 "$sum"
}
share two 2
share three 3
same "all is done" " 10 done " "$(statuses two)"

# One of three is killed in the middle of a run: the others take it over, end with the same bits, and nothing says
# "running" for ever. It is halted first: a halted process lives, and its run waits for it.
"$PARL" train "$recipe" --quiet --set run.dir="$dir/killed" >/dev/null 2>&1 &
victim=$!
holds() { "$PARL" runs "$dir/killed" --json 2>/dev/null | grep -q "\"holder\":\"process $victim on "; }
for _ in $(seq 5000); do
  holds || continue
  kill -STOP "$victim"
  holds && break
  kill -CONT "$victim"
done
holds && echo "ok the victim is at work" || echo "not ok the victim is at work: it holds nothing"
for k in 2 3; do
  train killed >"$dir/killed.$k.out" 2>"$dir/killed.$k.err" &
done
sleep 0.5
holds && echo "ok a halted process keeps its run" || echo "not ok a halted process keeps its run: it was taken"
kill -9 "$victim"
wait
for k in 2 3; do same "one of three was killed: hash of number $k" "$whole" "$(field "killed.$k" hash)"; done
same "after the kill all is done" " 10 done " "$(statuses killed)"

# Alone: what was planned stands in the list at once; a killed process leaves "lost", not "running".
"$PARL" train "$recipe" --quiet --set run.dir="$dir/lost" --set train.updates=100000 >/dev/null 2>&1 &
victim=$!
running() { statuses lost | grep -q running; }
await running
same "planned runs are listed" " 9 pending 1 running " "$(statuses lost)"
has "who trains it" "\"holder\":\"process $victim on " "$("$PARL" runs "$dir/lost" --json)"
text=$("$PARL" runs "$dir/lost" --remove a 2>&1)
same "an arm that is trained is not removed: exit code" 1 $?
has "an arm that is trained is not removed: text" "process $victim on" "$text"
text=$("$PARL" train "$recipe" --quiet --set run.dir="$dir/lost" --set train.updates=99999 2>&1)
same "another plan is refused while one is worked on: exit code" 2 $?
has "another plan is refused while one is worked on: text" "train.updates" "$text"
kill -9 "$victim"
wait
same "a killed process leaves no running" " 1 lost 9 pending " "$(statuses lost)"

# Changing one arm of a finished folder.
sed 's/name = "b", lambda1 = { start = 0.0 }/name = "b", lambda1 = { start = 0.1 }/' "$recipe" >"$dir/changed.lua"
change() { "$PARL" train "$dir/changed.lua" --quiet --set run.dir="$dir/$1" >/dev/null 2>"$dir/$1.err"; }
cp -r "$dir/whole" "$dir/removed"
change removed
same "another arm b is refused" 2 $?
has "the refusal says what to do" "parl runs $dir/removed --retire b" "$(cat "$dir/removed.err")"
has "the refusal says what else" "--remove b" "$(cat "$dir/removed.err")"
text=$("$PARL" runs "$dir/removed" --remove b </dev/null)
has "remove names the runs" 'arm "b", seed 1, done' "$text"
same "remove: the others stay" " 8 done " "$(statuses removed)"
same "remove: the checkpoints" "a-s1.safetensors a-s2.safetensors" \
  "$(cd "$dir/removed/checkpoints" && echo [ab]-*)"
change removed
same "remove: the other arm b is trained" 0 $?
same "remove: all are done" " 10 done " "$(statuses removed)"
refused_arm=$("$PARL" runs "$dir/removed" --remove bb 2>&1)
same "remove of an unknown arm: exit code" 2 $?
has "remove of an unknown arm: text" 'did you mean "b"' "$refused_arm"

cp -r "$dir/whole" "$dir/retired"
"$PARL" runs "$dir/retired" --retire b </dev/null >/dev/null
change retired
same "retire: the other arm b is trained" 0 $?
same "retire: both are kept" " 10 done 2 retired " "$(statuses retired)"
"$PARL" report "$dir/retired" >/dev/null
same "retire: out of the report" 2 "$(grep -c '^b,.*,sampled,,r_perf,' "$dir/retired/report_seeds.csv")"
"$PARL" runs "$dir/retired" --retire b </dev/null >/dev/null
train retired >"$dir/retired.out" 2>"$dir/retired.err"
same "a recipe brings its retired runs back" "$whole 0" "$(field retired hash) $(field retired updates)"
same "the others are retired now" " 10 done 2 retired " "$(statuses retired)"

# Failed runs stay so until they are asked for.
bad='name = "bad", optimizer = { lr = 1.0, clip = 0, warmup = 0 }, objective = { entropy_bonus = 10 }'
sed "s/arms = {/arms = { { $bad, train = { updates = 40 } },/" "$recipe" >"$dir/diverges.lua"
diverging() {
  "$PARL" train "$dir/diverges.lua" --quiet --json --set run.dir="$dir/diverges" "$@" \
    2>"$dir/diverges.err" >"$dir/diverges.out"
}
diverging
same "diverging arm: exit code" 1 $?
same "diverging arm: list" " 10 done 2 failed " "$(statuses diverges)"
has "diverging arm: why" "not finite" "$("$PARL" runs "$dir/diverges")"
has "diverging arm: why, in the report" "not finite" "$(grep '^| bad .*failed' "$dir/diverges/report.md")"
has "diverging arm: what to do" "retry-failed" "$("$PARL" runs "$dir/diverges")"
diverging
same "it stays failed: exit code" 1 $?
same "it stays failed: updates" 0 "$(field diverges updates)"
has "it stays failed: says so" "before; --retry-failed tries again" "$(cat "$dir/diverges.err")"
diverging --retry-failed
same "retried: exit code" 1 $?
[ "$(field diverges updates)" -gt 0 ] && echo "ok retried: it was trained" || echo "not ok retried: no update was made"
