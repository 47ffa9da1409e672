#!/bin/sh
# Every recipe that comes with the program runs, cut short, dense; those that are no study, whose arms are many, also as
# K2 is built, every other one wide. Where the program is slow by a sanitizer, a third of all that.
set -u
dir=$SCRATCH/recipes
mkdir -p "$dir"

try() { # NAME RECIPE FIELDS...
  name=$1 tried=$2
  shift 2
  if "$PARL" train "$tried" --quiet --set run.dir="$dir/$name" --set run.n_seeds=1 --set warm.steps=2 \
    --set warm.episodes=8 --set warm.probe=8 --set train.updates=2 --set train.tasks=2 --set train.group=4 \
    --set eval.tasks=4 "$@" >"$dir/log" 2>&1; then
    echo "ok $name"
  else
    cat "$dir/log"
    echo "not ok $name"
  fi
}

# A study of documents and pictures, on a tiny model.
look() { # NAME FIELDS...
  looked=$1
  shift
  try "$looked" "experiments/recipes/$looked.lua" --set model.n_layers=1 --set model.d_model=16 --set model.n_heads=2 \
    --set model.n_kv_heads=2 --set model.head_dim=8 --set model.d_ff=16 --set model.vision.n_layers=1 \
    --set model.vision.d_model=8 --set model.vision.n_heads=2 --set model.vision.d_ff=8 --set pretrain.steps=3 \
    --set pretrain.eval_documents=2 "$@"
}

extend() { # RECIPE OPTION...: one of those that extend a context
  extended=$1
  shift
  try "$extended" "experiments/recipes/$extended.lua" --set train.updates=0 --set warm.steps=0 --set warm.probe=0 \
    --set pretrain.steps=1 --set pretrain.eval_documents=0 "$@"
}

n=0 k2=k2
for recipe in experiments/recipes/*.lua; do
  base=$(basename "$recipe" .lua)
  case $base in
    aligned | fusion | towers) continue ;; # with zero_vision, which begins as what they make
    long | long_512) continue ;; # likewise with long_4096
    anneal | budgets | context | credit | credit_equal | gpu_large | joint_rl | lambda_sweep) presets=dense ;;
    long_4096 | masks | pay | schedules | shaping | sub_models | subs | swarm_100) presets=dense ;;
    toggle | zero_vision) presets=dense ;;
    *) presets="dense $k2" k2=$([ "$k2" = k2 ] && echo k2_wide || echo k2) ;;
  esac
  for preset in $presets; do
    n=$((n + 1))
    [ -z "${PARL_TEST_SHORT-}" ] || [ $((n % 3)) -eq 0 ] || continue
    case $base in
      subs) # its models are those that sub_models makes
        small=$dir/sub_models/checkpoints/small-s1701.safetensors
        large=$dir/sub_models/checkpoints/large-s1701.safetensors
        [ -f "$small" ] || try sub_models experiments/recipes/sub_models.lua
        try subs-dense "$recipe" --set small:agents.checkpoint="$small" --set large:agents.checkpoint="$large" \
          --set small_to_large:agents.checkpoint="$small" --set small_to_large:agents.next_checkpoint="$large" \
          --set small_to_large:agents.switch_at=1
        ;;
      sub_models) try sub_models "$recipe" ;; # sizes of its own
      gpu_large) # in small
        try gpu_large-dense "$recipe" --set model.n_layers=2 --set model.d_model=48 --set model.n_heads=4 \
          --set model.n_kv_heads=2 --set model.head_dim=16 --set model.d_ff=96 --set train.slice_rows=512
        ;;
      captions | joint_rl)
        try "$base-$preset" "$recipe" --set model.preset=$preset --set pretrain.steps=3 --set pretrain.eval_documents=4
        ;;
      long_4096)
        extend long --set pretrain.eval_documents=2
        extend long_512 --set "pretrain.extend=$dir/long/checkpoints/trained-s{seed}.safetensors"
        extend long_4096 --set "plain:pretrain.extend=$dir/long_512/checkpoints/plain-s{seed}.safetensors" \
          --set "yarn:pretrain.extend=$dir/long_512/checkpoints/yarn-s{seed}.safetensors"
        ;;
      zero_vision)
        look towers
        look fusion --set "pretrain.init=$dir/towers/checkpoints/trained-s{seed}.safetensors"
        look aligned --set "pretrain.init=$dir/fusion/checkpoints/text-s{seed}.safetensors"
        look zero_vision --set "pretrain.init=$dir/fusion/checkpoints/early-s{seed}.safetensors" \
          --set "late:pretrain.init=$dir/fusion/checkpoints/late-s{seed}.safetensors" \
          --set "aligned:pretrain.init=$dir/aligned/checkpoints/trained-s{seed}.safetensors" \
          --set "never:pretrain.init=$dir/fusion/checkpoints/text-s{seed}.safetensors"
        ;;
      toggle) try toggle-dense "$recipe" --set warm.probe=64 ;; # whose budgets are the probe's
      *) try "$base-$preset" "$recipe" --set model.preset=$preset ;;
    esac
  done
done
