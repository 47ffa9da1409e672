#!/bin/sh
# parl bench as a user meets it: rows, a kept result, refusals. How fast is not a test.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/bench
mkdir -p "$dir"

row=decode_quickstart

code "one row is kept" 0 "$PARL" bench --shapes $row --seconds 0.01 --json --save "$dir/kept.json"
has "its line" "{\"name\":\"$row\",\"tokens_per_s\":" "$(cat "$SCRATCH/out")"
for key in gflops percent_of_peak low high peak_gflops cpu_share repetitions dropped; do
  has "it has $key" "\"$key\":" "$(cat "$SCRATCH/out")"
done
if [ "$(wc -l <"$SCRATCH/out")" = 1 ]; then echo "ok nothing else is printed"; else echo "not ok more than one line"; fi
code "a kept result stays" 2 "$PARL" bench --shapes $row --seconds 0.01 --save "$dir/kept.json"
has "and how to change that" --force "$(cat "$SCRATCH/err")"
code "unless forced" 0 "$PARL" bench --shapes $row --seconds 0.01 --save "$dir/kept.json" --force
code "compared with it" 0 "$PARL" bench --shapes $row --seconds 0.01 --compare "$dir/kept.json" --json
has "a ratio" '"ratio":' "$(cat "$SCRATCH/out")"
has "its spread" '"ratio_low":' "$(cat "$SCRATCH/out")"
code "far too slow" 1 "$PARL" bench --shapes $row --seconds 0.01 --compare "$dir/kept.json" --fail-below 1000
has "the limit is named" 1000 "$(cat "$SCRATCH/err")"
code "both jobs of a shape" 0 "$PARL" bench --shapes quickstart --seconds 0.01
has "training" train_quickstart "$(cat "$SCRATCH/out")"
has "decoding" decode_quickstart "$(cat "$SCRATCH/out")"

if [ -n "${PARL_TEST_SHORT-}" ]; then
  echo "skip rows of scoring and of ops: minutes under a sanitizer, which has their own tests"
else
  code "scoring, checked against one by one" 0 "$PARL" bench --shapes score --seconds 0.01 --json
  for row_of in score_one score_counts_4096 score_stages_65536 score_lines score_lines_wide; do
    has "$row_of has a row" "{\"name\":\"$row_of\",\"episodes_per_s\":" "$(cat "$SCRATCH/out")"
  done
  has "its bytes" '"bytes":' "$(cat "$SCRATCH/out")"
  code "one row of scoring" 0 "$PARL" bench --shapes score_counts_4096 --seconds 0.01
  same "and no other" 2 "$(wc -l <"$SCRATCH/out" | tr -d ' ')"

  code "every op" 0 "$PARL" bench --shapes ops
  for op in $(sed -n 's/^  X(\([a-z0-9_]*\), .*/\1/p' "$ROOT/kernels/ops.h" "$ROOT/kernels/ops_more.h"); do
    if [ "$op" != count_load ]; then has "$op has a row" "$op " "$(cat "$SCRATCH/out")"; fi
  done
fi
code "a misspelled row of scoring" 2 "$PARL" bench --shapes score_line
has "the nearest of its rows" '"score_lines"' "$(cat "$SCRATCH/err")"

code "a misspelled row" 2 "$PARL" bench --shapes A,decode_B_mqq
has "the nearest row" '"decode_B_mqa"' "$(cat "$SCRATCH/err")"
code "an empty word" 2 "$PARL" bench --shapes A,,B
code "an empty list" 2 "$PARL" bench --shapes ''
code "a limit without a kept result" 2 "$PARL" bench --shapes $row --fail-below 0.9
code "no such kept result" 1 "$PARL" bench --shapes $row --compare "$dir/none.json"
echo '{"rows": 3}' >"$dir/other.json"
code "not a kept result" 1 "$PARL" bench --shapes $row --compare "$dir/other.json"
has "the file is named" other.json "$(cat "$SCRATCH/err")"
code "no folder to keep it in" 1 "$PARL" bench --shapes $row --seconds 0.01 --save "$dir/none/kept.json"
