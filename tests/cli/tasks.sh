#!/bin/sh
# Tasks that are chosen among candidates: the same bits for any number of threads and after a kill, beside partial
# rollout and staleness too; each way of choosing visibly does so; what was played can be played again.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/tasks
mkdir -p "$dir"
recipe=$dir/tiny.lua
cat >"$recipe" <<X2
return {
  name = "tiny", run = { checkpoint_every = 2 },
  env = { file = "$PWD/tests/envs/kinds.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 30, episodes = 16, mix = "serial=1", probe = 16 },
  optimizer = { lr = 0.005, warmup = 0 },
  train = { updates = 30, tasks = 4, group = 4, store_episodes = "sample" },
  eval = { tasks = 40, baselines = "" },
}
X2
hash_of() { sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/'; }
train() { "$PARL" train "$recipe" --quiet --json "$@"; }
mean() { # NAME FROM TO: of tasks/NAME, in SQL
  echo "(select avg(value) from metric where key = 'tasks/$1' and at_update >= $2 and at_update < $3)"
}

for more in "train.sampling=curriculum" "train.sampling=prioritised" \
  "train.sampling=prioritised --set train.partial=1 --set train.staleness=2 --set train.epochs=2"; do
  way=$(echo "$more" | tr -dc 'a-z')
  # shellcheck disable=SC2086
  whole=$(train --set $more --set run.dir="$dir/$way" --set run.threads=1 2>"$dir/log" | hash_of)
  same "a hash" 64 "${#whole}"
  for moment in 0.15 0.4; do
    # shellcheck disable=SC2086
    killed_after "$moment" "$PARL" train "$recipe" --quiet --set $more --set run.dir="$dir/$way$moment" \
      --set run.threads=3
    # shellcheck disable=SC2086
    same "$way on three threads, killed after $moment s" "$whole" \
      "$(train --set $more --set run.dir="$dir/$way$moment" --set run.threads=3 2>/dev/null | hash_of)"
  done
  update=$(ask "$dir/$way" "select max(at_update) from training_episode where rollout = 1")
  code "$way: update $update is replayed" 0 "$PARL" replay "$dir/$way" 1 --update "$update" --quiet
done

easy=$dir/trainsamplingcurriculum hard=$dir/trainsamplingprioritised
same "a curriculum begins with the easy, and ends with all" "1 1" "$(ask "$easy" \
  "select $(mean task_difficulty 0 6) < 3,
     abs($(mean task_difficulty 18 30) - $(mean offered_difficulty 18 30)) < 1")"
same "what fails is played, what does not is not" "1 1" "$(ask "$hard" \
  "select $(mean task_score 15 30) < 0.25, $(mean offered_score 15 30) > 0.35")"
same "shares of a bucket are stored" 1 "$(ask "$hard" \
  "select count(*) > 20 from metric where key like 'tasks/hopeless/%/drawn'")"
same "shares add up" "1.0 1.0" "$(ask "$hard" \
  "select round(sum(value) filter (where key like '%/drawn'), 9),
     round(sum(value) filter (where key like '%/offered'), 9)
   from metric where at_update = 20 and key like 'tasks/%/%'")"
same "held-out tasks are drawn evenly" "1" "$(ask "$hard" \
  "select avg(family = 'hopeless') between 0.3 and 0.7 from episode where decoding = 'greedy'")"

plain=$(train --set run.dir="$dir/uniform" | hash_of)
same "one candidate is no choice" 1 "$(train --set run.dir="$dir/one" --set train.sampling=prioritised \
  --set train.candidates=1 2>&1 >/dev/null | grep -c "candidates of every task of an update were alike")"
sum="select sum(task_seed) from training_episode"
same "and the tasks of none" "$(ask "$dir/uniform" "$sum")" "$(ask "$dir/one" "$sum")"
same "fields that nothing reads change nothing" "$plain" \
  "$(train --set run.dir="$dir/unread" --set train.candidates=8 2>/dev/null | hash_of)"
has "and are told of" "train.sampling = uniform" \
  "$("$PARL" train "$recipe" --plan --set run.dir="$dir/plan" --set train.priority_floor=2 2>&1)"
has "too many to look at" "tasks to look at in an update" \
  "$("$PARL" train "$recipe" --plan --set run.dir="$dir/plan" --set train.sampling=curriculum \
    --set train.tasks=100000 --set train.group=2 --set train.candidates=1000 2>&1)"

# Abilities: the kinds of task that begin; the others are measured all the same.
kinds="select group_concat(distinct family) from"
long="--set run.checkpoint_every=1" short="--set train.updates=6"
# shellcheck disable=SC2086
whole=$(train $long --set run.dir="$dir/plain" --set train.abilities=plain=1 --set run.threads=1 | hash_of)
same "what is asked for begins" plain "$(ask "$dir/plain" "$kinds training_episode")"
same "all kinds are evaluated" "hopeless,plain" \
  "$(ask "$dir/plain" "$kinds (select * from episode order by family)")"
# shellcheck disable=SC2086
killed_at "$dir/killed/checkpoints/trained-s*.safetensors" "$PARL" train "$recipe" --quiet $long \
  --set run.dir="$dir/killed" \
  --set train.abilities=plain=1 --set run.threads=3
same "killed when there is a checkpoint, before its end" running "$(ask "$dir/killed" "select status from run
  where arm = 'trained'")"
# shellcheck disable=SC2086
same "abilities: on three threads, killed" "$whole" \
  "$(train $long --set run.dir="$dir/killed" --set train.abilities=plain=1 --set run.threads=3 2>/dev/null | hash_of)"
same "shares: a quarter of four tasks" "6|18" "$(
  # shellcheck disable=SC2086
  train $short --set run.dir="$dir/shares" --set train.abilities=plain=1,hopeless=3 \
    --set train.store_episodes=all >/dev/null 2>&1
  ask "$dir/shares" "select sum(family = 'plain') / 4, sum(family = 'hopeless') / 4 from training_episode" | tr ' ' '|'
)"
has "an ability that is not there" 'no tasks of "hopeful"; of 256 tasks the kinds were: ' \
  "$(train --set run.dir="$dir/none" --set train.abilities=hopeful=1 2>&1)"
has "abilities and sampling" 'train.abilities = "plain=1" with train.sampling: both say which tasks begin' \
  "$(train --set run.dir="$dir/none" --set train.abilities=plain=1 --set train.sampling=curriculum 2>&1)"
has "abilities and no update" 'train.abilities = "plain=1", but no update begins a task' \
  "$(train --set run.dir="$dir/none" --set train.abilities=plain=1 --set train.updates=0 2>&1)"
has "a coin for a reward is told of" "r_coin with weight 1" "$(
  pay="weight = { shape = \"constant\", start = 1 }"
  coin="terms = { coin = { kind = \"chance\", $pay } }, lambda_perf = { start = 0 },"
  sed "s/eval = {/$coin &/" "$recipe" >"$dir/coin.lua"
  "$PARL" train "$dir/coin.lua" --quiet --set train.updates=2 --set run.dir="$dir/coin" 2>&1 >"$dir/coin.txt"
)"
has "and the report says it" 'a term of kind = "chance" pays whatever was done' "$(tr '\n' ' ' <"$dir/coin.txt")"

# Tasks that cannot be made are left out of the choice; the run goes on.
train --set run.dir="$dir/stillborn" --set train.sampling=curriculum --set env.on_error=skip \
  --set env.max_failures=1 --set env.params.stillborn=0.4 >/dev/null 2>&1
same "none of them begins" "0.0" "$(ask "$dir/stillborn" \
  "select max(value) * 1.0 from metric where key = 'end/end_error'")"
