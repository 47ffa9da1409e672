#!/bin/sh
# What a command prints arrives whole, or the command says so and fails: a full disk, a closed or a broken output.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
golden=$ROOT/tests/golden/moe seeing=$ROOT/tests/seeing
cat >tiny.lua <<X2
return {
  name = "tiny", run = { n_seeds = 1 }, env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 3, episodes = 8, mix = "serial=1", probe = 8 },
  train = { updates = 2, tasks = 2, group = 2 }, eval = { tasks = 4, baselines = "serial" },
}
X2
"$PARL" train tiny.lua --quiet --json >train.json || exit 1
"$PARL" env new toy >/dev/null || exit 1
cat >points.lua <<X2
return { recipe = "tiny", parameters = { ["lambda1.start"] = { values = { 0, 1 } } } }
X2
"$PARL" sweep plan tiny.lua -o unmade >/dev/null || exit 1
"$PARL" sweep plan tiny.lua --set run.dir=merged -o jobs >/dev/null &&
  "$PARL" sweep run jobs --quiet >/dev/null || exit 1

# A line of arguments for each command that `parl help` lists, and for what prints without one.
printf 'task,algorithm,seed,score\nu,a,1,1\nu,a,2,0\nu,b,1,0\n' >scores.csv
echo '{"id":1,"r_perf":0.7,"stages":[{"main_steps":1,"subs":[{"steps":3,"finished":true}]}]}' >episodes.jsonl
cat >cases <<X2
train tiny.lua --quiet
train tiny.lua --quiet --json
sweep points.lua --quiet
sweep points.lua --quiet --json
sweep points.lua --plan
sweep plan tiny.lua -o jobs_NUMBER
sweep plan tiny.lua -o jobs_NUMBER --json
sweep run jobs --index 0
sweep run jobs --index 0 --json
sweep sbatch unmade
merge jobs
merge jobs --json
schedule tiny.lua
schedule tiny.lua --json
replay runs/tiny 0
replay runs/tiny 0 --json
trace runs/tiny 0
trace runs/tiny 0 --json
trace runs/tiny 0 --html trace_NUMBER
counterfactual runs/tiny/checkpoints/trained-s1.safetensors --recipe tiny.lua --episodes 4
counterfactual runs/tiny/checkpoints/trained-s1.safetensors --recipe tiny.lua --episodes 4 --json
eval tiny.lua --style serial --tasks 4
eval tiny.lua --style serial --tasks 4 --json
report runs/tiny
report runs/tiny --json
compare runs/tiny runs/tiny:serial
compare runs/tiny runs/tiny:serial --json
stats scores.csv
stats scores.csv --json --resamples 100
score episodes.jsonl
score episodes.jsonl --json
runs runs/tiny
runs runs/tiny --json
env new new_NUMBER
env check toy.lua --tasks 6 --episodes 100
env check toy.lua --tasks 6 --episodes 100 --json
env check toy.lua --tasks 6 --hash
env play $ROOT/tests/envs/count.lua
env play $ROOT/tests/envs/count.lua --json
env play $ROOT/tests/envs/count.lua --json --isolate
env bench $ROOT/tests/envs/count.lua --seconds 0.01
env bench $ROOT/tests/envs/count.lua --seconds 0.01 --json
data hash captions
data hash captions --json
data show captions --documents 1
data show captions --documents 1 --json
data stats captions
data stats captions --json
model describe k25
model describe k25 --json --layout ep=16,pp=16,dp=16
model logits $golden --tokens $golden/tokens.json -o logits_NUMBER
model features $seeing --media $seeing/in.safetensors -o features_NUMBER
model export $golden -o export_NUMBER
model export $golden -o export_NUMBER --json
bench --shapes decode_quickstart --seconds 0.01
bench --shapes decode_quickstart --seconds 0.01 --json
bench dep --visual 10 --seconds 0.01
bench dep --visual 10 --seconds 0.01 --json
doctor
doctor --json
completion bash
help
help recipe
help train
help $ROOT/tests/envs/count.lua
env --help
--help
--version
X2

# Every command has a case, but for serve, which never ends by itself: tests/cli/serve.sh.
"$PARL" help | grep '^  [a-z]' | cut -c3-31 >commands
while read -r verb action _; do
  case $action in [a-z]*) name="$verb $action" ;; *) name=$verb ;; esac
  [ "$name" = serve ] || grep -q "^$name" cases || echo "not ok a case for $name: add one to tests/cli/output.sh"
done <commands
n_commands=$(($(wc -l <commands)))
# minutes each by a sanitizer, and json.sh runs it
[ -z "${PARL_TEST_SHORT-}" ] || sed -i '/^bench dep/d' cases
[ $n_commands -ge 15 ] && echo "ok $n_commands commands are looked at" || echo "not ok commands: only $n_commands"

number=0
run() { # ARGS OUTPUT: the exit code; standard error is in err
  number=$((number + 1))
  line=$(printf '%s' "$1" | sed "s/NUMBER/$number/")
  # shellcheck disable=SC2086
  if [ "$2" = closed ]; then "$PARL" $line >&- 2>err; else "$PARL" $line >"$2" 2>err; fi
}
[ -w /dev/full ] || echo "skip full disk: there is no /dev/full"
while read -r args; do
  run "$args" whole
  same "$args" 0 $?
  case $args in # these print nothing when all is well
    "model logits "* | "model features "*) [ -s whole ] && echo "not ok $args: it prints"; continue ;;
  esac
  [ -s whole ] || echo "not ok $args: prints nothing"
  # What has no value is "-" in a table and null in JSON.
  if grep -iqE '(^|[^a-z_])-?(nan|inf|infinity)([^a-z_]|$)' whole err; then
    echo "not ok $args: a number is $(grep -iohE '.{0,30}(nan|inf)\b' whole err | head -n 1)"
  fi
  run "$args" closed
  same "$args, output closed: exit code" 1 $?
  has "$args, output closed: text" "standard output: Bad file descriptor" "$(cat err)"
  [ -w /dev/full ] || continue
  run "$args" /dev/full
  same "$args, disk full: exit code" 1 $?
  has "$args, disk full: text" "standard output: No space left on device" "$(cat err)"
done <cases

# A disk that fills up in the middle, past the first buffer: what is there is a beginning, and that is said.
# A limit on the size of files stands in for it, in blocks of 512 bytes.
"$PARL" help recipe >whole
[ "$(wc -c <whole)" -gt 8192 ] && echo "ok help recipe is long" || echo "not ok help recipe is long: the test is void"
(ulimit -f 8; "$PARL" help recipe >part 2>err)
same "file too large: exit code" 1 $?
has "file too large: text" "standard output: File too large" "$(cat err)"

# A reader that has read enough is no failure, and is not talked about.
code=$( ("$PARL" help recipe 2>err; echo $? >code) | head -n 1 >/dev/null; cat code)
same "a reader that goes: exit code" 0 "$code"
same "a reader that goes: silence" "" "$(cat err)"
# shellcheck disable=SC2016
code=$( (sh -c 'sleep 0.2; "$PARL" runs runs/tiny' 2>err; echo $? >code) | true; cat code)
same "a reader that is gone: exit code" 0 "$code"
same "a reader that is gone: silence" "" "$(cat err)"

# The number of a closed standard stream is not given to a file of ours.
"$PARL" train tiny.lua --quiet --set run.dir=closed <&- >&- 2>&-
same "all streams closed: exit code" 1 $?
same "all streams closed: the same run" "$(sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/' train.json)" \
  "$("$PARL" train tiny.lua --quiet --json --set run.dir=closed | sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/')"

# Files that a command writes by an option: the error names the file, and no part of it is left.
wrote() { # NAME PART FILE ARGS...: under a limit of 4 KiB
  name=$1 part=$2 file=$3
  shift 3
  (ulimit -f 8; "$PARL" "$@" >out 2>err)
  same "$name: exit code" 1 $?
  has "$name: text" "$part" "$(cat err)"
  same "$name: leaves nothing" "" "$(find . -name "$file*")"
}
wrote "model logits -o" "big: cannot write: File too large" big \
  model logits "$golden" --tokens "$golden/tokens.json" -o big --grads
wrote "model export -o" "cannot write: File too large" folder model export "$golden" -o folder
code "model logits -o on a device" 1 "$PARL" model logits "$golden" --tokens "$golden/tokens.json" -o /dev/full
has "it is named" "/dev/full: is no regular file but a device" "$(cat "$SCRATCH/err")"
code "bench --save into nowhere" 1 "$PARL" bench --shapes decode_quickstart --seconds 0.01 --save nowhere/a
has "the file is named" "nowhere/a" "$(cat "$SCRATCH/err")"
