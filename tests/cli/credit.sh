#!/bin/sh
# Credit by turns, by episodes played again, by stages and over orders: the same bits for any number of threads and
# after a kill; what it cost is in the store; a field that nothing reads is told of.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/credit
mkdir -p "$dir"
recipe=$dir/tiny.lua
cat >"$recipe" <<X2
return {
  name = "tiny", run = { checkpoint_every = 2 },
  env = { file = "$PWD/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 16 },
  train = { updates = 30, tasks = 3, group = 4 },
  eval = { tasks = 10, baselines = "" },
}
X2
hash_of() { sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/'; }
train() { "$PARL" train "$recipe" --quiet --json "$@"; }

for kind in episode turn counterfactual policy loo_stages shapley written; do
  case $kind in
  policy) more='--set objective.credit=counterfactual --set objective.credit_after=policy' ;;
  written)
    more='--set objective.credit=shapley --set objective.credit_orders=0 --set objective.credit_rerolls=3'
    ;;
  *) more="--set objective.credit=$kind" ;;
  esac
  # shellcheck disable=SC2086
  whole=$(train $more --set run.dir="$dir/$kind" --set run.threads=1 | hash_of)
  same "a hash of $kind" 64 "${#whole}"
  # shellcheck disable=SC2086
  killed_after 0.3 "$PARL" train "$recipe" --quiet $more --set run.dir="$dir/$kind-killed" --set run.threads=2
  # shellcheck disable=SC2086
  same "$kind on two threads, killed" "$whole" \
    "$(train $more --set run.dir="$dir/$kind-killed" --set run.threads=2 | hash_of)"
  echo "$whole"
done | sort -u >"$dir/out"
grep -v '^[0-9a-f]*$' "$dir/out"
same "seven kinds, seven results" 7 "$(grep -c '^[0-9a-f]*$' "$dir/out")"

same "nothing is stored where nothing is credited by launches" 0 \
  "$(ask "$dir/turn" "select count(*) from metric where key like 'credit/%'")"
same "the stages play nothing" 0 \
  "$(ask "$dir/loo_stages" "select count(*) from metric where key = 'credit/rerolls'")"
# A launch of one is left out once, one of n n + 1 times.
same "re-rolls and their steps are stored" "1 1 1" "$(ask "$dir/counterfactual" \
  "select sum(case key when 'credit/rerolls' then value end) > 0,
          sum(case key when 'credit/reroll_steps' then value end) > 0,
          sum(case key when 'credit/rerolls_failed' then value end) = 0 from metric")"
same "orders are played" 1 "$(ask "$dir/shapley" \
  "select sum(case key when 'credit/reroll_steps' then value end) > 0 from metric")"
has "an unread field is told of" 'changes nothing' \
  "$("$PARL" train "$recipe" --plan --set run.dir="$dir/plan" --set objective.credit_rerolls=3 2>&1)"
has "orders are read by shapley alone" 'changes nothing' \
  "$("$PARL" train "$recipe" --plan --set run.dir="$dir/plan" --set objective.credit_orders=3 2>&1)"
