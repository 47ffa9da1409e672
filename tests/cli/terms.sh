#!/bin/sh
# Terms that take away or grade, trained for some updates: a toggle's budget makes episodes shorter where without one
# nothing does; a rubric that believes in launches is hacked, unless another rubric asks what they were good for. Fixed
# seeds, with margins that six of six seeds had; a few seconds in a release build, so sanitizers leave it out.
set -u
if [ "${PARL_BUILD:-release}" != release ]; then
  echo "skip terms: only where it is fast"
  exit 0
fi
dir=$SCRATCH/terms
mkdir -p "$dir"
arm() { # NAME LEGAL TERMS
  echo "{ name = \"$1\", episode = { legal = $2 }, terms = { $3 } },"
}
weight() { echo "weight = { shape = \"constant\", start = $1 }"; }
short="short = { kind = \"toggle\", of = \"critical_steps\", phase = 1000, accuracy = 0.6, percentile = 0,
  $(weight 1) }"
busy="busy = { kind = \"rubric\", lua = \"math.min(1, assigned / 16)\", $(weight 3) }"
fair="fair = { kind = \"rubric\", lua = \"assigned > 0 and useful / assigned or 1\", $(weight 9) }"
cat >"$dir/terms.lua" <<X2
return {
  name = "terms", run = { seed = 11 },
  env = { file = "$PWD/tests/envs/count.lua" },
  episode = { budget_factor = 0 },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 60, episodes = 32, mix = "serial=0.7,wide=0.3", probe = 64 },
  optimizer = { lr = 0.01, warmup = 0 },
  lambda1 = { shape = "constant", start = 0 }, lambda2 = { shape = "constant", start = 0 },
  train = { updates = 40, tasks = 4, group = 8 },
  eval = { tasks = 100, baselines = "" },
  arms = { $(arm none true "") $(arm toggle true "$short") $(arm busy false "$busy")
           $(arm fair false "$busy, $fair") },
}
X2
"$PARL" train "$dir/terms.lua" --quiet --set run.dir="$dir/run" >"$SCRATCH/log" 2>&1 ||
  { cat "$SCRATCH/log"; echo "not ok the arms train"; exit 0; }
mean() { # ARM FACT, of the sampled evaluation
  sqlite3 "$dir/run/store.db" "select avg($2) from episode join run on run.id = run_id
    where arm = '$1' and decoding = 'sampled'"
}
above() { # TEXT A B MARGIN: whether A > B + MARGIN
  if awk -v a="$2" -v b="$3" -v m="$4" 'BEGIN {exit !(a != "" && b != "" && a + 0 > b + m)}'; then
    echo "ok $1"
  else
    echo "not ok $1: $2 is not above $3 + $4"
  fi
}
above "a toggle makes episodes shorter" "$(mean none critical_steps)" "$(mean toggle critical_steps)" 3
above "and does not teach to give up" "$(mean toggle r_perf)" 0.55 0
above "a rubric that believes in launches is hacked" "$(mean busy assigned)" "$(mean busy 'useful * 2')" 4
above "not beside one that asks what was useful" "$(mean busy assigned)" "$(mean fair assigned)" 6
