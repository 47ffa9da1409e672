#!/bin/sh
# Every recipe that comes with the program runs, cut short, dense and as K2 is built; where the
# program is slow by a sanitizer, each in one of the three ways.
set -u
dir=$SCRATCH/recipes
mkdir -p "$dir"

n=0
for recipe in experiments/recipes/*.lua; do
  for preset in dense k2 k2_wide; do
    n=$((n + 1))
    [ -z "${PARL_TEST_SHORT-}" ] || [ $((n % 4)) -eq 0 ] || continue
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
