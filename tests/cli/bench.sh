#!/bin/sh
# parl bench as a user meets it: rows, a kept result, refusals. How fast is not a test.
set -u
dir=$SCRATCH/bench
mkdir -p "$dir"

has() { # NAME PART TEXT
  case "$3" in *"$2"*) echo "ok $1" ;; *) echo "not ok $1: no '$2' in '$3'" ;; esac
}
code() { # NAME WANTED COMMAND...
  name=$1 wanted=$2
  shift 2
  "$@" >"$dir/out" 2>"$dir/err"
  got=$?
  if [ "$got" = "$wanted" ]; then echo "ok $name"; else echo "not ok $name: exit code $got, not $wanted"; fi
}
row=decode_quickstart

code "one row is kept" 0 "$PARL" bench --shapes $row --seconds 0.01 --json --save "$dir/kept.json"
has "its line" "{\"name\":\"$row\",\"tokens_per_s\":" "$(cat "$dir/out")"
for key in gflops percent_of_peak low high peak_gflops cpu_share repetitions dropped; do
  has "it has $key" "\"$key\":" "$(cat "$dir/out")"
done
if [ "$(wc -l <"$dir/out")" = 1 ]; then echo "ok nothing else is printed"; else echo "not ok more than one line"; fi
code "a kept result stays" 2 "$PARL" bench --shapes $row --seconds 0.01 --save "$dir/kept.json"
has "and how to change that" --force "$(cat "$dir/err")"
code "unless forced" 0 "$PARL" bench --shapes $row --seconds 0.01 --save "$dir/kept.json" --force
code "compared with it" 0 "$PARL" bench --shapes $row --seconds 0.01 --compare "$dir/kept.json" --json
has "a ratio" '"ratio":' "$(cat "$dir/out")"
has "its spread" '"ratio_low":' "$(cat "$dir/out")"
code "far too slow" 1 "$PARL" bench --shapes $row --seconds 0.01 --compare "$dir/kept.json" --fail-below 1000
has "the limit is named" 1000 "$(cat "$dir/err")"
code "both jobs of a shape" 0 "$PARL" bench --shapes quickstart --seconds 0.01
has "training" train_quickstart "$(cat "$dir/out")"
has "decoding" decode_quickstart "$(cat "$dir/out")"

code "a misspelled row" 2 "$PARL" bench --shapes A,decode_B_mqq
has "the nearest row" '"decode_B_mqa"' "$(cat "$dir/err")"
code "an empty word" 2 "$PARL" bench --shapes A,,B
code "an empty list" 2 "$PARL" bench --shapes ''
code "a limit without a kept result" 2 "$PARL" bench --shapes $row --fail-below 0.9
code "no such kept result" 1 "$PARL" bench --shapes $row --compare "$dir/none.json"
echo '{"rows": 3}' >"$dir/other.json"
code "not a kept result" 1 "$PARL" bench --shapes $row --compare "$dir/other.json"
has "the file is named" other.json "$(cat "$dir/err")"
code "no folder to keep it in" 1 "$PARL" bench --shapes $row --seconds 0.01 --save "$dir/none/kept.json"
