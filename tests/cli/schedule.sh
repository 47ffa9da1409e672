#!/bin/sh
# parl schedule: the weights of a recipe in the terminal, as JSON and as a picture.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
recipe=$ROOT/experiments/recipes/quickstart.lua

code "draws" 0 "$PARL" schedule "$recipe" --svg w.svg
has "an arm" "annealed       0.3 -> 0 " "$(cat out)"
has "what is 0" "0 throughout: lambda_early" "$(cat out)"
same "no run" "" "$(ls runs 2>/dev/null)"
python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' w.svg && echo "ok the picture is XML"
code "a picture is kept" 2 "$PARL" schedule "$recipe" --svg w.svg
has "and says so" "--force overwrites it" "$(cat err)"
code "unless forced" 0 "$PARL" schedule "$recipe" --svg w.svg --force
for n in 60 200; do
  widest=$("$PARL" schedule "$recipe" --columns $n |
    python3 -c 'import sys; print(max(len(line.rstrip("\n")) for line in sys.stdin))')
  same "$n columns" "$n" "$widest"
done
"$PARL" schedule "$recipe" --json --set lambda1.shape=closed_loop --set no_shaping:lambda1.shape=constant \
  --set lambda1.gain=0.01 --assume launch_rate=1 |
  python3 -c 'import json, sys
w = json.load(sys.stdin)
c = [x for x in w["weights"] if x["arm"] == "annealed" and x["weight"] == "lambda1"][0]
assert c["assumed"] == "launch_rate = 1", c
assert all(abs(v - max(0, 0.3 - 0.005 * t)) < 1e-9 for t, v in zip(w["updates"], c["values"])), c' &&
  echo "ok a closed loop by hand"
code "an unknown metric" 2 "$PARL" schedule "$recipe" --assume lauch_rate=1
has "is named" 'did you mean "launch_rate"' "$(cat err)"
code "no number" 2 "$PARL" schedule "$recipe" --assume launch_rate=much
has "says what is due" "METRIC=VALUE" "$(cat err)"
code "half a range" 2 "$PARL" schedule "$recipe" --assume launch_rate=0..
code "help" 0 "$PARL" help schedule
has "has the verb" "--svg FILE" "$(cat out)"
has "and the names" "clock:" "$(cat out)"
