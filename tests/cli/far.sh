#!/bin/sh
# Training with its evaluations, logits and export on a device whose memory the host cannot touch: no access of the
# host, and the bits of the CPU.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/far
mkdir -p "$dir"

has "doctor lists it" 'far' "$("$PARL" doctor --json)"

train() { # BACKEND FOLDER ARGUMENT...: the run's hash, of its rows and its weights
  backend=$1 run=$2
  shift 2
  "$PARL" train experiments/recipes/quickstart.lua --json --quiet --set run.dir="$dir/$run" --set run.n_seeds=1 \
    --set run.backend="$backend" --set run.threads=2 --set train.updates=2 --set train.tasks=4 --set train.group=4 \
    --set warm.steps=4 --set warm.probe=8 --set eval.tasks=8 "$@" 2>"$dir/err" |
    sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/'
}
for kind in 'dense adamw none' 'k2 muonclip none' 'moe muonclip int4'; do
  # shellcheck disable=SC2086
  set -- $kind
  more="--set model.preset=$1 --set optimizer.kind=$2 --set model.expert_quant=$3 --set optimizer.qk_clip=0.001"
  # shellcheck disable=SC2086
  whole=$(train cpu "cpu-$1" $more)
  same "a hash of $1" 64 "${#whole}"
  # shellcheck disable=SC2086
  same "$1 on far, the same bits" "$whole" "$(train far "far-$1" $more)"
done

code "export" 0 "$PARL" model export "$dir/far-k2/checkpoints/annealed-s301.safetensors" -o "$dir/published"
folder=tests/golden/moe
for backend in cpu far; do
  code "logits on $backend" 0 "$PARL" model logits $folder --tokens $folder/tokens.json \
    -o "$dir/$backend.safetensors" --grads --backend $backend
done
if cmp -s "$dir/cpu.safetensors" "$dir/far.safetensors"; then
  echo "ok logits on far"
else
  echo "not ok logits on far differ"
fi
