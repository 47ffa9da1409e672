#!/bin/sh
# The whole program on the emulated card (CARD_PARL: build/*/parl-emu, or parl itself where there is a card): a run of a
# few updates by `parl train`, twice the same bits, killed and resumed, with bf16 and own kernels alone, out of memory,
# and where there is no card.
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
short= # check_gpu.sh on an emulated card
[ -z "${SHORT_PROGRAM:-}" ] || updates=1 short='--set episode.budget_steps=1'

train() { # FOLDER ARGUMENT...: the run's hash, of its rows and its weights
  run=$1
  shift
  # shellcheck disable=SC2086
  "$PARL" train "$recipe" --json --quiet --set run.dir="$dir/$run" --set train.updates=$updates $short "$@" \
    2>"$dir/err" | sed -n 's/.*"hash":"\([0-9a-f]*\)".*/\1/p'
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
[ -z "$short" ] || exit 0
# The card that is chosen by itself: the same run, which is there already.
again=$("$PARL" train "$recipe" --json --quiet --set run.dir="$dir/whole" --set train.updates=$updates \
  --set run.backend=auto 2>"$dir/err")
has "chosen by itself, it is the same run" "$whole" "$again"
has "and nothing of it is made anew" '"updates":0,' "$again"
same "auto chose a card: nothing is said of it" 0 "$(grep -c 'run.backend' "$dir/err")"
same "and it is stored as one of the card" cuda "$(backend_of whole)"

# Killed when a checkpoint is there, and resumed.
"$PARL" train "$recipe" --quiet --set run.dir="$dir/killed" --set train.updates=$updates >/dev/null 2>&1 &
victim=$!
await test -e "$dir/killed/checkpoints/trained-s301.safetensors"
kill -9 "$victim" 2>/dev/null
wait "$victim" 2>/dev/null
same "killed before its end" 0 "$("$PARL" runs "$dir/killed" --json |
  grep '"arm":"trained"' | grep -c '"status":"done"')"
same "killed and resumed: the same bits" "$whole" "$(train killed)"

# Own kernels alone. Then each step of decoding is of 512 rows, which takes an emulated card minutes: there the run is
# ended as soon as it is stored, and tests/cuda/test_graphs.c has the steps.
if $is_emulated; then
  "$PARL" train "$recipe" --quiet --set run.dir="$dir/own" --set run.invariant=true >/dev/null 2>&1 &
  victim=$!
  is_stored() { [ -n "$(backend_of own)" ]; }
  await is_stored
  kill -9 "$victim" 2>/dev/null
  wait "$victim" 2>/dev/null
else
  same "own kernels: no product here is cuBLAS'" "$whole" "$(train own --set run.invariant=true)"
fi
same "own kernels: another run" cuda:own "$(backend_of own)"

$is_emulated || exit 0
has "the card's name is stored" '"card":"emulator"' "$(ask "$dir/whole" 'SELECT host FROM run')"
TEST_MEMORY=3000000 train full >/dev/null
has "a full card: bytes asked and there" "of the card's 3000000 are free" "$(cat "$dir/err")"
has "a full card: what to lower" 'lower run.threads' "$(cat "$dir/err")"
same "a full card: nothing is lost" "$whole" "$(train full)"
bf16=$(train bf16 --set run.dtype=bf16 --set train.updates=1 --set episode.budget_steps=1)
same "a run in bf16" 64 "${#bf16}"

# Without a card.
TEST_CARDS=0 "$PARL" train "$recipe" --plan --set run.backend=auto >/dev/null 2>"$dir/err"
same "auto without a card: one line" 1 "$(wc -l <"$dir/err")"
has "auto without a card: which says why" 'run.backend = "auto" is the CPU: backend cuda: ' "$(cat "$dir/err")"
TEST_CARDS=0 code "cuda without a card" 1 "$PARL" train "$recipe" --plan
has "cuda without a card: says why" 'backend cuda: ' "$(cat "$SCRATCH/err")"
