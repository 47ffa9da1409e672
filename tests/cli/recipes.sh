#!/bin/sh
# Every recipe that comes with the program runs, cut short, dense and as K2 is built.
set -u
dir=$SCRATCH/recipes
mkdir -p "$dir"

for recipe in experiments/recipes/*.lua; do
  for preset in dense k2 k2_wide; do
    name=$(basename "$recipe" .lua)-$preset
    if "$PARL" train "$recipe" --quiet --set model.preset=$preset --set run.dir="$dir/$name" \
      --set run.n_seeds=1 --set warm.steps=2 --set warm.probe=8 --set train.updates=2 --set eval.tasks=4 \
      >"$dir/log" 2>&1; then
      echo "ok $name"
    else
      cat "$dir/log"
      echo "not ok $name"
    fi
  done
done
