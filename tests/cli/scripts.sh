#!/bin/sh
# What scripts print; how a signal ends the program, whatever a script does.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
"$PARL" env new toy >/dev/null

# print
sed 's/^local function prompt(world)/&\n  print("seen", world.n_trees, "\\27[2J\\nsecond", 0 \/ 0)/' toy.lua >prints.lua
"$PARL" env play prints.lua --seed 1 >out.txt 2>err.txt
same "play prints" 0 $?
has "a line is marked" "$(printf 'print: seen\t')" "$(cat err.txt)"
has "a second line, too" "$(printf 'print: second\tnan')" "$(cat err.txt)"
has "nothing moves the cursor" "?[2J" "$(cat err.txt)"
same "results stay clean" 0 "$(grep -c "print:" out.txt)"
"$PARL" env check prints.lua --tasks 4 --episodes 50 >out.txt 2>err.txt
same "check passes" 0 $?
lines=$(grep -c "print:" err.txt)
[ "$lines" -ge 50 ] && [ "$lines" -le 160 ] && echo "ok check prints so many lines" ||
  echo "not ok check prints so many lines: $lines"
"$PARL" env bench prints.lua --seconds 0.01 --as random >out.txt 2>err.txt
has "bench prints" "print: seen" "$(cat err.txt)"
"$PARL" env check prints.lua --tasks 4 --episodes 50 --quiet >out.txt 2>err.txt
same "quiet is quiet" "" "$(cat err.txt)"
sed 's/^local function prompt(world)/&\n  print(("x"):rep(100000))/' toy.lua >long.lua
"$PARL" env play long.lua >out.txt 2>err.txt
[ "$(wc -c <err.txt)" -lt 5000 ] && echo "ok a long line is cut" || echo "not ok a long line is cut: $(wc -c <err.txt)"
"$PARL" train toy_recipe.lua --quiet --set env.file=prints.lua --set run.dir=runs/quiet --set train.updates=1 \
  --set warm.steps=1 --set eval.tasks=4 >out.txt 2>err.txt
same "training quietly prints nothing" 0 "$(grep -c "print:" err.txt)"
"$PARL" train toy_recipe.lua --set env.file=prints.lua --set run.dir=runs/loud --set train.updates=1 \
  --set warm.steps=1 --set eval.tasks=4 >out.txt 2>err.txt
lines=$(grep -c "print:" err.txt)
[ "$lines" -ge 10 ] && [ "$lines" -le 200 ] && echo "ok training prints so many lines" ||
  echo "not ok training prints so many lines: $lines"
# How often a reset that may take seconds is asked for.
sed 's/^local function reset(.*/&\n  print("a reset")/' toy.lua >resets.lua
"$PARL" env check resets.lua --tasks 2 --episodes 10 --json >out.txt 2>err.txt
n=$(grep -c "print: a reset" err.txt)
[ "$n" -ge 40 ] && [ "$n" -le 95 ] && echo "ok check makes so many worlds" ||
  echo "not ok check makes so many worlds: $n"

# signals
hang() { # FILE BODY: reset does this for ever
  sed "s/^local function reset(.*/&\n  print(\"at work\") $2/" toy.lua >"$1"
}
hang loop.lua 'while true do pcall(error) end'
hang match.lua 'local s = (\"a\"):rep(99) while true do s:find((\"a*\"):rep(16) .. \"b\") end'
hang sort.lua 'local t, s = {}, (\"x\"):rep(1 << 23) '\
'for i = 1, 9999 do t[i] = i % 2 == 0 and s .. \"a\" or s end table.sort(t)'
hang garbage.lua 'while true do local t = {} for i = 1, 200000 do t[i] = {i} end end'
stop() { # SIGNAL CODE FILE OPTION...
  signal=$1 wanted=$2 file=$3
  shift 3
  rm -f err.txt
  "$PARL" env check "$file" --set env.callback_s=600 "$@" >out.txt 2>err.txt &
  pid=$!
  await grep "at work" err.txt
  kill -"$signal" "$pid"
  (sleep 200 && kill -KILL "$pid") 2>/dev/null & # far more than it may take, on a busy machine
  killer=$!
  wait "$pid" 2>/dev/null
  same "$signal ends $file $*" "$wanted" $?
  kill "$killer" 2>/dev/null
  same "$signal in $file $* shows no traceback" 0 "$(cat out.txt err.txt | grep -c traceback)"
}
for file in loop.lua match.lua sort.lua garbage.lua; do
  stop TERM 143 $file
  stop TERM 143 $file --set env.instructions=9000000000000000
  stop INT 130 $file --isolate
done
