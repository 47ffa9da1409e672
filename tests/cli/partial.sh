#!/bin/sh
# Partial rollout: episodes go on in the next update, to the same bits for any number of threads and after a kill.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/partial
mkdir -p "$dir"
recipe=$dir/tiny.lua
cat >"$recipe" <<X2
return {
  name = "tiny", run = { checkpoint_every = 2 },
  env = { file = "$PWD/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 16 },
  optimizer = { lr = 0.02, warmup = 0 },
  train = { updates = 20, tasks = 3, group = 4, partial = 4, store_episodes = "all" },
  eval = { tasks = 10, baselines = "" },
}
X2
hash_of() { sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/'; }
train() { "$PARL" train "$recipe" --quiet --json "$@"; }

whole=$(train --set run.dir="$dir/whole" --set run.threads=1 | hash_of)
same "a hash" 64 "${#whole}"
for moment in 0.1 0.3; do
  killed_after "$moment" "$PARL" train "$recipe" --quiet --set run.dir="$dir/killed$moment" --set run.threads=2
  same "on two threads, killed after $moment s" "$whole" \
    "$(train --set run.dir="$dir/killed$moment" --set run.threads=2 | hash_of)"
done
same "groups are carried, and learned from later" "1 1 1" "$(ask "$dir/whole" \
  "select max(value) > 0, min(value) < 1, (select max(value) > 0 from metric where key = 'rollout/carried_age')
   from metric where key = 'rollout/carried'")"
same "fewer are learned from than are begun" 1 \
  "$(ask "$dir/whole" "select count(*) < 20 * 12 and count(*) > 0 from training_episode where end != 'error'")"
update=$(ask "$dir/whole" "select max(at_update) from metric where key = 'rollout/carried_age' and value > 0")
code "an episode of two policies is replayed" 0 "$PARL" replay "$dir/whole" 0 --update "$update" --quiet
train --set train.partial=0 --set run.dir="$dir/without" >/dev/null
same "without it nothing is carried" "0.0" \
  "$(ask "$dir/without" "select max(value) * 1.0 from metric where key = 'rollout/carried'")"

# Beside all else that makes a rollout off policy, whether the next update is played ahead or not.
more="--set train.staleness=2 --set train.logp_noise=0.2 --set train.top_p=0.9 --set train.epochs=2"
# shellcheck disable=SC2086
mixed=$(train $more --set run.dir="$dir/mixed" --set run.threads=1 | hash_of)
same "a hash of it" 64 "${#mixed}"
for async in false true; do
  # shellcheck disable=SC2086
  killed_after 0.25 "$PARL" train "$recipe" --quiet $more --set train.async=$async --set run.dir="$dir/mixed_$async" \
    --set run.threads=2
  # shellcheck disable=SC2086
  same "killed, async $async" "$mixed" \
    "$(train $more --set train.async=$async --set run.dir="$dir/mixed_$async" --set run.threads=2 | hash_of)"
done
update=$(ask "$dir/mixed" "select max(at_update) from metric where key = 'rollout/carried_age' and value > 0")
code "an episode of two stale policies is replayed" 0 "$PARL" replay "$dir/mixed" 0 --update "$update" --quiet
