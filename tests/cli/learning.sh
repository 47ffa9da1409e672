#!/bin/sh
# The quickstart's first updates: pay for launching keeps sub-agents on wide search, where without it launching dies out
# beside the chains. Later a seed may find it again, so this looks early; what 150 updates end at is in docs/studies.md.
# Fixed seed; a few seconds in a release build, so sanitizers leave it out.
set -u
if [ "${PARL_BUILD:-release}" != release ]; then
  echo "skip learning: only where it is fast"
  exit 0
fi
dir=$SCRATCH/learning
"$PARL" train experiments/recipes/quickstart.lua --quiet --set run.dir="$dir" --set run.seed=7001 --set run.n_seeds=1 \
  --set train.updates=25 --set warm.probe=0 --set eval.tasks=100 --set eval.baselines=serial >"$SCRATCH/log" 2>&1 ||
  { cat "$SCRATCH/log"; echo "not ok the quickstart trains"; exit 0; }

# value ARM FAMILY METRIC, of the sampled evaluation
value() {
  awk -F, -v arm="$1" -v family="$2" -v metric="$3" \
    'NR > 1 && $1 == arm && $4 == "sampled" && $5 == family && $6 == metric {print $7}' "$dir/report_seeds.csv"
}
# above TEXT A B: whether A > B
above() {
  if awk -v a="$2" -v b="$3" 'BEGIN {exit !(a != "" && b != "" && a + 0 > b + 0)}'; then
    echo "ok $1"
  else
    echo "not ok $1: $2 is not above $3"
  fi
}

annealed=$(value annealed wide_search launch_rate)
none=$(value no_shaping wide_search launch_rate)
above "wide search: annealed launches in most episodes" "$annealed" 0.7
above "wide search: no_shaping in few" 0.5 "$none"
score=$(value annealed wide_search r_perf)
above "wide search: annealed scores more" "$score" "$(value no_shaping wide_search r_perf)"
for arm in annealed no_shaping; do
  above "chain: $arm launches less than annealed on wide search" "$annealed" "$(value $arm chain launch_rate)"
  above "$arm is better than the warm start" "$(value $arm '' r_perf)" "$(value untrained '' r_perf)"
done
