#!/bin/sh
# A rollout that is not on policy: the same bits for any number of threads and after a kill; the mask acts where there
# is a gap, and only there.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/stale
mkdir -p "$dir"
recipe=$dir/tiny.lua
cat >"$recipe" <<X2
return {
  name = "tiny", run = { checkpoint_every = 2 },
  env = { file = "$PWD/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 16 },
  optimizer = { lr = 0.02, warmup = 0 },
  train = { updates = 30, tasks = 3, group = 4 },
  eval = { tasks = 10, baselines = "" },
}
X2
hash_of() { sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/'; }
train() { "$PARL" train "$recipe" --quiet --json "$@"; }
masked() { ask "$dir/$1" "select sum(value) > 0 from metric where key = 'objective/masked'"; }

train --set run.dir="$dir/on" >/dev/null
same "on policy nothing is masked" 0 "$(masked on)"
same "on policy nobody is behind" 0 "$(ask "$dir/on" "select count(*) from metric where key = 'rollout/staleness'")"

more="--set train.staleness=4 --set train.logp_noise=0.2 --set train.epochs=2"
# shellcheck disable=SC2086
whole=$(train $more --set run.dir="$dir/whole" --set run.threads=1 | hash_of)
same "a hash" 64 "${#whole}"
for moment in 0.1 0.3; do
  # shellcheck disable=SC2086
  killed_after "$moment" "$PARL" train "$recipe" --quiet $more --set run.dir="$dir/killed$moment" --set run.threads=2
  # shellcheck disable=SC2086
  same "on two threads, killed after $moment s" "$whole" \
    "$(train $more --set run.dir="$dir/killed$moment" --set run.threads=2 | hash_of)"
done
same "off policy some are" 1 "$(masked whole)"
same "0, 1, 2, 3, and 4 from then on, updates behind" "0 4 110" "$(ask "$dir/whole" \
  "select min(value), max(value), sum(value) from metric where key = 'rollout/staleness'" | sed 's/\.0//g')"

# Played while the update before learns: the bits of staleness alone, for any number of threads and after a kill.
stale=$(train --set train.staleness=1 --set run.dir="$dir/stale" | hash_of)
for threads in 1 2 3; do
  killed_after 0.2 "$PARL" train "$recipe" --quiet --set train.staleness=1 --set train.async=true \
    --set run.dir="$dir/async$threads" --set run.threads=$threads
  same "ahead on $threads threads, killed" "$stale" \
    "$(train --set train.staleness=1 --set train.async=true --set run.dir="$dir/async$threads" \
      --set run.threads=$threads | hash_of)"
done
same "what is waited for is part of the rollout, all of it where nothing is ahead" "1 1" "$(ask "$dir/stale" \
  "select min(w.value >= r.value), count(*) = 30 from metric w join metric r using (run_id, at_update)
   where w.key = 'time/wait_s' and r.key = 'time/rollout_s'")"
code "not with the policy that is being learned" 2 "$PARL" train "$recipe" --quiet --set train.async=true
has "says what to set" "set train.staleness to 1 or more" "$(cat "$SCRATCH/err")"

train --set train.top_p=0.8 --set run.dir="$dir/nucleus" >/dev/null
same "a nucleus cuts at most a fifth" "1 1" "$(ask "$dir/nucleus" \
  "select min(value) >= 0 and max(value) <= 0.2, sum(value) > 0 from metric where key = 'rollout/cut_mass'")"
same "the ratio does not see it" 0 "$(masked nucleus)"

# What a stale policy and a nucleus played can be played again.
train --set train.staleness=4 --set train.top_p=0.8 --set train.store_episodes=sample \
  --set run.dir="$dir/again" >/dev/null
for update in 0 2 4; do
  same "update $update, to what is stored" 0 \
    "$("$PARL" replay "$dir/again" 1 --update $update >/dev/null 2>&1; echo $?)"
done

for kind in ppo tis squared reinforce; do
  # shellcheck disable=SC2086
  train $more --set objective.kind=$kind --set run.dir="$dir/$kind" | hash_of
done | sort -u >"$dir/out"
same "four kinds, four results" 4 "$(grep -c '^[0-9a-f]*$' "$dir/out")"
same "tis truncates" 1 "$(ask "$dir/tis" "select sum(value) > 0 from metric where key = 'objective/truncated'")"
has "a response is one context" "objective.kind = \"squared\"" \
  "$("$PARL" train "$recipe" --plan --set run.dir="$dir/plan" --set objective.kind=squared \
    --set episode.context_policy=discard_all 2>&1)"
has "an unread field is told of" 'changes nothing' \
  "$("$PARL" train "$recipe" --plan --set run.dir="$dir/plan" --set objective.cap=3 2>&1)"
