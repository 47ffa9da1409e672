#!/bin/sh
# Who the sub-agents are: small, then large; learning with the orchestrator; another one for a role. The same bits for
# any number of threads and after a kill.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/subs
mkdir -p "$dir"
recipe=$dir/tiny.lua
cat >"$recipe" <<X2
return {
  name = "tiny", run = { checkpoint_every = 2 },
  env = { file = "$PWD/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.2,wide=0.8", probe = 16 },
  optimizer = { lr = 0.01, warmup = 0 },
  train = { updates = 20, tasks = 4, group = 4, store_episodes = "sample" },
  eval = { tasks = 10, baselines = "" },
}
X2
hash_of() { sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/'; }
train() { "$PARL" train "$recipe" --quiet --json "$@"; }
plan() { "$PARL" train "$recipe" --plan --set run.dir="$dir/plan" "$@" 2>&1; }
twice() { # NAME "SECONDS..." FIELDS...: on one thread whole, on two threads killed after so long
  name=$1 moments=$2
  shift 2
  whole=$(train "$@" --set run.dir="$dir/$name" --set run.threads=1 | hash_of)
  same "a hash of $name" 64 "${#whole}"
  for moment in $moments; do
    killed_after "$moment" "$PARL" train "$recipe" --quiet "$@" --set run.dir="$dir/$name-$moment" --set run.threads=2
    same "$name on two threads, killed after $moment s" "$whole" \
      "$(train "$@" --set run.dir="$dir/$name-$moment" --set run.threads=2 | hash_of)"
  done
}
again() { # NAME UPDATE: exit code of replaying an episode
  "$PARL" replay "$dir/$1" 1 --update "$2" >/dev/null 2>&1
  echo $?
}

frozen=$(train --set run.dir="$dir/frozen" | hash_of)
same "frozen sub-agents are not learned from" 0 \
  "$(ask "$dir/frozen" "select count(*) from metric where key like 'agents/%'")"

# Sub-agents of another size that have learned more: from update 8 on their messages change something.
train --set run.dir="$dir/large" --set model.d_model=32 --set warm.steps=60 --set train.updates=0 >/dev/null
large=$(find "$dir/large/checkpoints" -name 'warm-*')
twice switched "0.1 0.25" --set agents.next_checkpoint="$large" --set agents.switch_at=8
for run in frozen switched; do
  ask "$dir/$run" "select group_concat(value) from (select value from metric where key = 'episode/useful_rate'
    and at_update < 8 order by at_update)"
done | sort -u >"$dir/out"
same "it is the run with the small ones until then" 1 "$(wc -l <"$dir/out" | tr -d ' ')"
same "the large ones are more useful" 1 "$(ask "$dir/switched" "select
  (select avg(value) from metric where key = 'episode/useful_rate' and at_update >= 8) >
  (select avg(value) from metric where key = 'episode/useful_rate' and at_update < 8) + 0.3")"
same "they are in the evaluation" 1 "$(ask "$dir/switched" \
  "select sum(finished) > 0.9 * sum(assigned) from episode where decoding = 'sampled'")"
for update in 0 7 8 19; do same "update $update is replayed" 0 "$(again switched $update)"; done
same "so is the evaluation" 0 "$("$PARL" replay "$dir/switched" 1 --quiet >/dev/null 2>&1; echo $?)"
same "evaluating the checkpoint gives what the run says" \
  "$(ask "$dir/switched" "select printf('%.6f', avg(critical_steps)) from episode
    where policy = 'trained' and decoding = 'greedy'")" \
  "$("$PARL" eval "$recipe" --set agents.next_checkpoint="$large" --set agents.switch_at=8 \
    --set run.dir="$dir/switched" \
    --checkpoint "$dir/switched/checkpoints/trained-s1.safetensors" --json --quiet |
    python3 -c 'import json, sys; print("%.6f" % json.load(sys.stdin)["greedy"]["critical_steps"])')"
has "both or neither" "agents.switch_at = 0" "$(plan --set agents.next_checkpoint="$large")"
printf x >>"$large"
same "another file is another run" 0 \
  "$("$PARL" replay "$dir/switched" 1 --update 0 2>&1 | grep -c 'plays as it was')"
has "and says so" "files" "$("$PARL" replay "$dir/switched" 1 --update 0 2>&1)"

# Sub-agents who learn.
twice trained "0.1 0.25" --set agents.subs=trained
same "their choices are learned from, and some are misled" "1 1" "$(ask "$dir/trained" \
  "select min(case key when 'agents/sub_choices' then value end) > 0 and
          max(case key when 'agents/sub_choices' then value end) < 1,
          avg(case key when 'agents/misled' then value end) between 0.1 and 0.9 from metric")"
same "on policy, and by its probabilities" "1 1" "$(ask "$dir/trained" \
  "select max(case key when 'objective/logp_gap' then value end) < 1e-4,
          max(case key when 'objective/masked' then value end) = 0 from metric")"
same "update 0, of the warm start, is replayed" 0 "$(again trained 0)"
has "later weights are gone" "sub-agents that are trained have left no tokens" \
  "$("$PARL" replay "$dir/trained" 1 --update 5 2>&1)"
same "the evaluation is replayed" 0 "$("$PARL" replay "$dir/trained" 1 --quiet >/dev/null 2>&1; echo $?)"
twice stale-trained 0.15 --set agents.subs=trained --set train.staleness=2 --set train.async=true \
  --set train.top_p=0.9 --set objective.credit=counterfactual
has "not in parts" "train.partial = 4" "$(plan --set agents.subs=trained --set train.partial=4)"
has "their temperature is the orchestrator's" "agents.temperature is not read where agents.subs = trained" \
  "$(plan --set agents.subs=trained --set agents.temperature=0.5)"

# A role with a player of its own; the other role is as agents.subs says.
sed "s|tests/envs/count.lua|tests/envs/roles.lua|; s|serial=0.2,wide=0.8|mixed=1|" "$recipe" >"$dir/roles.lua"
recipe=$dir/roles.lua
twice role 0.1 --set episode.budget_factor=0 --set agents.subs=scripted --set agents.roles=right=scripted:0
finished() { # ROLE: whether any of that role did
  ask "$dir/role" "select sum(coalesce(json_extract(b.value, '\$.finished'), 0)) > 0 from training_episode,
    json_each(stages) s, json_each(s.value, '\$.subs') b where json_extract(b.value, '\$.role') = '$1'"
}
same "one role never finishes, the other does" "0 1" "$(finished right) $(finished wrong)"
twice role-trained 0.1 --set agents.roles=wrong=trained
same "a role learns" 1 "$(ask "$dir/role-trained" \
  "select max(value) > 0 from metric where key = 'agents/sub_choices'")"
for update in 0 3; do again role-trained $update; done | tr '\n' ' ' >"$dir/out"
same "an episode of a role that learned" "0 1 " "$(cat "$dir/out")"
has "a role that is not there" 'did you mean "right"' "$(plan --set agents.roles=wright=policy)"
has "a style is read of a role" "pending" "$(plan --set agents.roles=right=scripted --set agents.style=mixed)"
same "and not warned of" 0 "$(plan --set agents.roles=right=scripted --set agents.style=mixed \
  --set agents.temperature=0.9 | grep -c 'changes nothing')"
