#!/bin/sh
# parl score: lines from anywhere, in whatever shape files come.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1

episode='{"id":1,"r_perf":0.5,"stages":[{"main_steps":1,"subs":[{"steps":3,"finished":true}]}]}'
scored=$(echo "$episode" | "$PARL" score - --json)
has "an object a line" '{"id":1,"critical_steps":4,"total_steps":4,"launches":1' "$scored"
same "no line end at the end" "$scored" "$(printf %s "$episode" | "$PARL" score - --json)"
printf '\357\273\277\r\n%s\r\n\n  \n' "$episode" >windows.jsonl
same "a byte order mark, CRLF, empty lines" "$scored" "$("$PARL" score windows.jsonl --json)"
: >empty.jsonl
code "an empty file" 0 "$PARL" score empty.jsonl --json

# A bad line ends it, after what stands before it.
printf '%s\n\n%s\n%s\n' "$episode" '{"id":2,"r_perf":2}' "$episode" >bad.jsonl
code "a line that is no episode" 1 "$PARL" score bad.jsonl --json
has "says where" "parl: bad.jsonl:3: r_perf: 2; it has to be a number from 0 to 1" "$(cat "$SCRATCH/err")"
same "lines before it are printed" "$scored" "$(cat "$SCRATCH/out")"
code "unless they are left out" 0 "$PARL" score bad.jsonl --json --skip-bad
has "and counted" "1 lines are no episodes and left out; the first, line 3: r_perf: 2" "$(cat "$SCRATCH/err")"
same "the others are printed" "2" "$(wc -l <"$SCRATCH/out" | tr -d ' ')"

# More than a block, lines longer than a chunk: the same bytes for any number of threads.
awk 'BEGIN {
  for (i = 0; i < 30000; i++) {
    printf "{\"id\":%d,\"r_perf\":%.3f,\"stages\":[{\"main_steps\":1,\"subs\":[", i, (i % 1000) / 1000
    n = i % 9973 == 0 ? 12000 : i % 13
    for (k = 0; k < n; k++)
      printf "%s{\"steps\":%d,\"finished\":%s,\"task\":\"row %d\"}", k ? "," : "", k % 7,
        k % 3 ? "true" : "false", k % 11
    print "]}]}"
  }
}' >many.jsonl
"$PARL" score many.jsonl --json --threads 1 >one.out
"$PARL" score - --json --threads 3 <many.jsonl >three.out
same "three threads" "$(cksum <one.out)" "$(cksum <three.out)"
same "every line" "30000" "$(wc -l <one.out | tr -d ' ')"
has "a very wide launch" \
  '"id":9973,"critical_steps":7,"total_steps":35996,"launches":1,"assigned":12000' "$(cat one.out)"
same "means, too" "$("$PARL" score many.jsonl --threads 1)" "$("$PARL" score many.jsonl --threads 3)"
twice='{"steps":1,"finished":true,"task":"a"}'
repeated='{"id":1,"r_perf":1,"stages":[{"main_steps":1,"subs":['"$twice,$twice"']}]}'
has "a detector of recorded episodes" \
  "duplicate_subtasks 0.5000 0.25 fires" "$(echo "$repeated" | "$PARL" score - | tr -s " ")"

# A reader that has read enough is no failure.
reader=$( ("$PARL" score many.jsonl --json 2>err; echo $? >code) | head -n 1 >/dev/null; cat code)
same "a reader that goes" "0" "$reader$(cat err)"

code "no such file" 1 "$PARL" score nowhere.jsonl
code "an unknown definition" 2 "$PARL" score windows.jsonl --parallel widht
has "the nearest" "width" "$(cat "$SCRATCH/err")"
code "Lua is none here" 2 "$PARL" score windows.jsonl --parallel lua
code "a definition that asks for more" 1 "$PARL" score windows.jsonl --parallel width
has "says what" 'windows.jsonl:2: the line: "optimum_width" is missing' "$(cat "$SCRATCH/err")"

# The total, by a recipe's reward at an update: lambda1 0.4 -> 0 over 4 updates.
cat >pay.lua <<X2
return {
  name = "pay", env = { file = "$ROOT/envs/wide_search.lua" }, train = { updates = 8 },
  reward = { parallel_cap = 4 }, lambda2 = { start = 0, shape = "constant" },
  lambda1 = { shape = "linear", start = 0.4, stop = 0, over = 0.5 },
  terms = { late = { kind = "cost", scale = 10, weight = { shape = "constant", start = 0.5 } } },
  arms = { { name = "plain" }, { name = "dear", lambda1 = { start = 0.8 } } },
}
X2
total() {
  echo "$episode" | "$PARL" score - --json "$@" | sed 's/.*"reward"://; s/}//' | awk '{printf "%.6g", $1}'
}
same "0.4 * 1/4 + 0.5 - 0.5 * 4/10" 0.4 "$(total --recipe pay.lua)"
same "half of lambda1" 0.35 "$(total --recipe pay.lua --update 2)"
same "another arm" 0.5 "$(total --recipe pay.lua --arm dear)"
same "a field of it, lambda1 gone" 0.1 "$(total --recipe pay.lua --set terms.late.weight.start=1 --update 7)"
has "its mean" "reward 0.4000" "$(echo "$episode" | "$PARL" score - --recipe pay.lua | tr -s ' ')"
for threads in 1 3; do
  "$PARL" score many.jsonl --json --threads $threads --recipe pay.lua \
    --set 'reward.perf_lua="r_perf / (1 + launches)"' >"lua$threads.out"
done
same "an expression, on any number of threads" "$(cksum <lua1.out)" "$(cksum <lua3.out)"
same "of every line" 30000 "$(grep -c '"reward":' lua1.out)"
code "a fact that lines may state" 1 "$PARL" score many.jsonl --recipe pay.lua --set reward.preset=january
has "is asked for" 'many.jsonl:1: the line: "success" is missing, which the recipe' "$(cat "$SCRATCH/err")"
code "a fact that no line states" 2 "$PARL" score many.jsonl --recipe pay.lua --set terms.late.of=makespan
has "is named" "r_late is made of makespan, which recorded episodes do not have" "$(cat "$SCRATCH/err")"
code "named scores" 2 "$PARL" score many.jsonl --recipe pay.lua --set 'reward.perf_lua="scores.f1 or 0"'
code "a weight that a run's metric moves" 2 "$PARL" score many.jsonl --recipe pay.lua \
  --set lambda1.shape=closed_loop --set lambda1.metric=launch_rate
has "names both" "lambda1 looks at launch_rate" "$(cat "$SCRATCH/err")"
code "an update that it does not have" 2 "$PARL" score many.jsonl --recipe pay.lua --update 8
has "says which it has" "updates 0 to 7" "$(cat "$SCRATCH/err")"
code "an arm that it does not have" 2 "$PARL" score many.jsonl --recipe pay.lua --arm plane
code "two definitions" 2 "$PARL" score many.jsonl --recipe pay.lua --parallel-cap 10
code "an update of nothing" 2 "$PARL" score many.jsonl --update 3
