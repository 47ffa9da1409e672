#!/bin/sh
# Everything that only a card can show, where there is one: check_gpu.sh [--emulated] [--seconds N] [--out FOLDER]
#
# Needs nothing but this bundle: no network, no compiler. Each step is a process with a limit of its own, so that what
# fails, hangs or is not there leaves the others as they are; all together end within N seconds (540). FOLDER
# (gpu-results) gets the whole output of each step, results.json and table.txt, which is printed last.
# Exit code: 0 if no step failed, 1 if one did. --emulated takes the programs with an emulated card, at tiny sizes: to
# check this script where there is no card.
set -u
ROOT=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
export ROOT LC_ALL=C.UTF-8
emulated=false seconds=540 out=$PWD/gpu-results
while [ $# -gt 0 ]; do
  case $1 in
    --emulated) emulated=true ;;
    --seconds) seconds=$2 && shift ;;
    --out) out=$2 && shift ;;
    *) echo "check_gpu.sh: unknown argument $1" >&2 && exit 2 ;;
  esac
  shift
done
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
bin=$ROOT/bin
PARL=$bin/parl side=8192 mib=1024
# An emulated card takes minutes for what a real one does at once: of each step as much as proves its line.
if $emulated; then
  PARL=$bin/parl-emu side=64 mib=1 SHORT_PROGRAM=1
  export SHORT_PROGRAM
fi
few() { # WHICH: all tests of a program, of an emulated card those of this name
  if $emulated; then echo "TEST_ONLY=$1"; else echo 'TEST_ONLY=*'; fi
}
export PARL CARD_PARL="$PARL"
suffix=$($emulated && echo -emu)
began=$(date +%s) failed=0
cd "$ROOT" || exit 1

# step NAME LIMIT WORD COMMAND...: WORD of the output is what the table says; "-" the last line
step() {
  name=$1 limit=$2 word=$3
  shift 3
  left=$((seconds - $(date +%s) + began - 5))
  [ "$limit" -le "$left" ] || limit=$left
  start=$(date +%s) verdict=ok
  if [ "$limit" -lt 5 ]; then
    verdict=skipped said="no time was left"
  else
    timeout -k 5 "$limit" "$@" >"$out/$name.log" 2>&1 </dev/null
    code=$?
    case $code in
      0) ;;
      77) verdict=skipped ;;
      124 | 137) verdict=limit ;;
      *) verdict=failed ;;
    esac
    if [ "$verdict" = failed ] || [ "$word" = - ]; then said=$(grep -v '^ *$' "$out/$name.log" | tail -n 1)
    else said=$(grep -- "$word" "$out/$name.log" | tail -n 1); fi
    [ "$verdict" != limit ] || said="stopped after $limit s"
  fi
  if grep -q '^not ok' "$out/$name.log" 2>/dev/null; then
    [ "$verdict" != ok ] || verdict=failed
    said=$(grep '^not ok' "$out/$name.log" | head -n 1)
  fi
  case $verdict in failed | limit) failed=$((failed + 1)) ;; esac
  said=$(printf '%s' "$said" | tr '\t\r"\\' "  ''" | cut -c 1-150)
  printf '%s\t%s\t%s\t%s\n' "$name" "$verdict" "$(($(date +%s) - start))" "$said" >>"$out/steps"
  printf '%-14s %-8s %4s s  %s\n' "$name" "$verdict" "$(($(date +%s) - start))" "$said"
}

skip() { # NAME WHY
  printf '%s\tskipped\t0\t%s\n' "$1" "$2" >>"$out/steps"
  printf '%-14s %-8s %4s s  %s\n' "$1" skipped 0 "$2"
}

# A run of the quickstart's first updates on BACKEND, which the last line describes.
updates() {
  if $emulated; then set -- "$1" tests/cuda/tiny.lua 1; else set -- "$1" experiments/recipes/quickstart.lua 12; fi
  rm -rf "$out/runs-$1"
  case $1 in cuda) type=bf16 ;; *) type=f32 ;; esac
  "$PARL" train "$2" --json --quiet --set run.dir="$out/runs-$1" --set run.backend="$1" --set run.dtype=$type \
    --set run.n_seeds=1 --set run.threads=2 --set train.updates="$3" --set warm.steps=1 --set eval.tasks=1 2>&1 |
    tee "$out/updates-$1.json" | tail -n 1 | cut -c 1-300
  grep -q '"hash"' "$out/updates-$1.json"
}

# One after the other, in the same call of the machine.
compare_updates() {
  updates cuda && updates cpu || return 1
  get() { sed -n "s/.*\"$2\":\([0-9.]*\).*/\1/p" "$out/updates-$1.json" | tail -n 1; }
  for rate in train_tokens_per_s decode_tokens_per_s; do
    awk -v a="$(get cuda $rate)" -v b="$(get cpu $rate)" -v r=$rate \
      'BEGIN { printf "%s: card %.0f, 2 cores %.0f", r, a, b; if (b > 0) printf ", %.2f times", a / b; print "" }'
  done | paste -sd ';' | tr ';' ' '
}

program() {
  SCRATCH=$(mktemp -d) && export SCRATCH
  sh tests/cuda/program.sh
  code=$?
  rm -rf "$SCRATCH"
  return $code
}

no_card() { ! "$PARL" doctor | grep -q '^cuda .*compute capability'; }

case ${STEP:-} in # a step that is a function runs as this script again, so that its limit holds
  compare_updates | program) "$STEP" && exit ;;
esac
[ -z "${STEP:-}" ] || exit 1
bench() { # LIMIT ROWS DTYPE
  step "bench-$2" "$1" "tokens/s\|GF/s" "$PARL" bench --backend cuda --dtype "$3" --shapes "$2" --seconds 2
}

: >"$out/steps"
step doctor 30 '^cuda ' "$PARL" doctor
if no_card; then
  for name in ceilings mma graphs engine updates program invariance ops_more ops_vision ops bench sanitizer; do
    skip $name "no card: $("$PARL" doctor | sed -n 's/^cuda  *//p')"
  done
else
  set -- sh "$ROOT/tests/cuda/check_gpu.sh" --out "$out"
  ! $emulated || set -- "$@" --emulated
  step ceilings 60 'product_bf16 ' "$bin/ceilings$suffix" $side $mib
  step mma 30 PASSED "$bin/card_device$suffix"
  step graphs 30 PASSED env "$(few test_replay)" "$bin/card_graphs$suffix"
  step engine 90 PASSED env "$(few test_orthogonalise)" "$bin/card_engine$suffix"
  step updates 80 - env STEP=compare_updates "$@"
  step program 100 - env STEP=program "$@"
  step invariance 60 PASSED env "$(few 'rows of rope*')" "$bin/card_ops_invariance$suffix"
  step ops_more 60 PASSED env "$(few 'count_load*')" "$bin/card_ops_more$suffix"
  step ops_vision 60 PASSED env "$(few 'gelu_fwd*')" "$bin/card_ops_vision$suffix"
  step ops 120 PASSED env "$(few 'add on*')" "$bin/card_ops$suffix"
  if $emulated; then skip bench "takes hours on the emulator"; else
    for row in train_quickstart decode_quickstart train_124M decode_124M train_B decode_B train_A decode_A; do
      bench 30 $row bf16
    done
    bench 30 ops f32
  fi
  if command -v compute-sanitizer >/dev/null; then
    step sanitizer 60 'ERROR SUMMARY' compute-sanitizer --error-exitcode 1 "$bin/card_engine$suffix"
  else
    skip sanitizer "compute-sanitizer is not here"
  fi
fi

# The script itself is right if it did on an emulated card what it does on a real one.
if $emulated; then
  failed=$((failed + $(awk -F '\t' '$2 == "skipped" && $1 != "bench" && $1 != "sanitizer"' "$out/steps" | wc -l)))
fi

{
  printf '{"date": "%s", "card": "%s", "seconds": %d, "emulated": %s, "steps": [' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
    "$("$PARL" doctor | sed -n 's/^cuda  *//p' | tr '"\\' "''")" $(($(date +%s) - began)) $emulated
  awk -F '\t' '{
    printf "%s{\"step\": \"%s\", \"verdict\": \"%s\", \"seconds\": %d, ", (NR > 1 ? ", " : ""), $1, $2, $3
    printf "\"says\": \"%s\"}", $4 }' "$out/steps"
  printf ']}\n'
} >"$out/results.json"
{
  echo "card: $("$PARL" doctor | sed -n 's/^cuda  *//p')"
  awk -F '\t' '{ printf "%-16s %-8s %4d s  %s\n", $1, $2, $3, $4 }' "$out/steps"
  [ ! -f "$out/ceilings.log" ] || grep -v '^#' "$out/ceilings.log"
  echo "$failed failed of $(wc -l <"$out/steps") steps"
} >"$out/table.txt"
rm -f "$out/steps"
echo
cat "$out/table.txt"
[ "$failed" -eq 0 ]
