#!/bin/sh
# The test of my_env: is it sound, and does a training on it run?
set -eu
cd "$(dirname "$0")"
parl env check my_env.lua
parl train my_env_recipe.lua --quiet --set run.dir="${TMPDIR:-/tmp}/my_env_test" \
  --set warm.steps=5 --set warm.probe=16 --set train.updates=2 --set eval.tasks=10
