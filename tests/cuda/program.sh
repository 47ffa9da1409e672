#!/bin/sh
# The whole program on the emulated card (CARD_PARL: build/*/parl-emu, or parl itself where there is a card): a run of a
# few updates by `parl train`, twice the same bits, killed and resumed, with bf16 and own kernels alone, out of memory.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
PARL=${CARD_PARL:-$PARL-emu}
dir=$SCRATCH/card
mkdir -p "$dir"
recipe=$ROOT/tests/cuda/tiny.lua
is_emulated=true
case $PARL in *-emu) ;; *) is_emulated=false ;; esac

updates=3 # a real card's runs are longer
$is_emulated || updates=5

train() { # FOLDER ARGUMENT...: the run's hash, of its rows and its weights
  run=$1
  shift
  "$PARL" train "$recipe" --json --quiet --set run.dir="$dir/$run" --set train.updates=$updates "$@" 2>"$dir/err" |
    sed -n 's/.*"hash":"\([0-9a-f]*\)".*/\1/p'
}
backend_of() { # FOLDER: what the stored run says
  "$PARL" runs "$dir/$1" --json | sed -n 's/.*"arm":"trained".*"backend":"\([a-z:]*\)".*/\1/p'
}

has "doctor: the card" 'compute capability' "$("$PARL" doctor --json)"
has "doctor: whose products" 'products by ' "$("$PARL" doctor --json)"
whole=$(train whole)
same "a run on the card" 64 "${#whole}"
again=$(TEST_ORDER=random TEST_SEED=5 train twice)
same "twice, in another order of blocks and warps: the same bits" "$whole" "$again"
[ -z "${SHORT_PROGRAM:-}" ] || exit 0 # check_gpu.sh on an emulated card
same "chosen by itself, it is the same run" "$whole" "$(train auto --set run.backend=auto)"
same "and is stored as one of the card" cuda "$(backend_of auto)"
same "own kernels: no product here is cuBLAS'" "$(train own --set run.invariant=true | wc -c)" 65
same "and another run" cuda:own "$(backend_of own)"

# Killed when a checkpoint is there, and resumed.
"$PARL" train "$recipe" --quiet --set run.dir="$dir/killed" --set train.updates=$updates >/dev/null 2>&1 &
victim=$!
await test -e "$dir/killed/checkpoints/trained-s301.safetensors"
kill -9 "$victim" 2>/dev/null
wait "$victim" 2>/dev/null
same "killed before its end" 0 "$("$PARL" runs "$dir/killed" --json |
  grep '"arm":"trained"' | grep -c '"status":"done"')"
same "killed and resumed: the same bits" "$whole" "$(train killed)"

$is_emulated || exit 0
TEST_MEMORY=3000000 train full >/dev/null
has "a full card: bytes asked and there" "of the card's 3000000 are free" "$(cat "$dir/err")"
has "a full card: what to lower" 'lower run.threads' "$(cat "$dir/err")"
same "a full card: nothing is lost" "$whole" "$(train full)"
bf16=$(train bf16 --set run.dtype=bf16 --set train.updates=1)
same "a run in bf16" 64 "${#bf16}"
