#!/bin/sh
# The shells complete verbs, options, fields of --set, arms and run folders. bash's function is called as bash calls it.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
mkdir -p runs/mine runs/other folder
: >runs/mine/store.db
cat >two.lua <<X2
return {
  name = "two", env = { file = "$ROOT/envs/chain.lua" },
  terms = { thrift = { lua = "1 / (1 + turns)" } },
  arms = { { name = "careful", lambda1 = { start = 0.1 } }, { name = "bold", lambda1 = { start = 0.3 } } },
}
X2

# What the program says can follow.
words() { "$PARL" completion words -- "$@" | cut -f 1 | tr '\n' ' '; }
can() { # NAME PART WORD...: PART is among what the words can become
  name=$1 part=$2
  shift 2
  case " $(words "$@")" in *" $part "*) echo "ok $name" ;; *) echo "not ok $name: no '$part' in '$(words "$@")'" ;; esac
}
cannot() { # NAME PART WORD...
  name=$1 part=$2
  shift 2
  case " $(words "$@")" in *" $part "*) echo "not ok $name: '$part' is in '$(words "$@")'" ;; *) echo "ok $name" ;; esac
}
can "a preset" reward.preset= train quickstart --set reward.p
can "its names" reward.preset=january train quickstart --set reward.preset=j
can "behind an arm" careful:reward.preset=lamas train two.lua --set careful:reward.preset=l
can "a recipe of an option" quickstart score lines.jsonl --recipe q
# Every verb, action and option that help lists.
"$PARL" help | grep '^  [a-z]' | cut -c3-31 >commands
n=0
while read -r verb action _; do
  can "verb $verb" "$verb" ""
  case $action in [a-z]*) can "action $verb $action" "$action" "$verb" "" ;; *) action= ;; esac
  # shellcheck disable=SC2086
  for option in $("$PARL" $verb $action --help | sed -n 's/^  \(-[a-z], \)*\(--[a-z-]*\).*/\2/p'); do
    # shellcheck disable=SC2086
    can "$verb $action $option" "$option" $verb $action -
    n=$((n + 1))
  done
done <commands
[ $n -gt 60 ] && echo "ok $n options" || echo "not ok options: only $n"
same "only what goes on as the word begins" "train " "$(words trai)"
cannot "an option of another verb" --set runs --
can "a field" train.updates= train two.lua --set train.up
same "as --name=value" "--set=train.updates= " "$(words train two.lua --set=train.up)"
can "a choice" lambda1.shape=cosine train two.lua --set lambda1.shape=c
can "a switch" episode.legal=false train two.lua --set episode.legal=
can "a parameter of the environment" env.params.links_max= train two.lua --set env.params.
can "an arm" careful: train two.lua --set ca
can "a field of an own term" terms.thrift.weight.start= train two.lua --set terms.thrift.weight.sta
can "a field of a source" sources.pictures.augment.crop= train captions --set sources.pictures.augment.c
can "a choice of a source's weight" sources.words.weight.shape=cosine data hash captions \
  --set sources.words.weight.shape=c
can "a field of an arm" bold:lambda1.start= train two.lua --set bold:lambda1.sta
cannot "no arm without a recipe" careful: train --set ca
can "a style" oracle eval two.lua --style ""
can "a style of an environment" oracle env play chain --as ""
can "and random play" random env play chain --as r
can "a choice of an option" bf16 model logits --dtype ""
can "a shipped recipe" quickstart train ""
can "or a file" :files train ""
can "a shipped environment" wide_search env check w
can "a run folder" runs/mine report ""
cannot "no other folder of runs/" runs/other report runs/
can "or any folder" :folders runs ""
can "a topic" recipe help ""
can "an action as a topic" play help env p
can "a shell" fish completion ""
cannot "no option behind --" --set train -- --
can "the operand behind an option" quickstart train --set a=b q
same "silent about a bad recipe" "" "$("$PARL" completion words -- train nowhere.lua --set nothing 2>&1)"
same "silent about an unknown verb" "" "$(words trian x)"

# bash, its words parted at = and : as bash does it.
"$PARL" completion bash >parl.bash
reply() { # WORD...: COMPREPLY, the last word being completed
  bash -c 'source ./parl.bash; COMP_WORDS=(parl "$@") COMP_CWORD=$#; _parl; echo "${COMPREPLY[@]}"' bash "$@"
}
if ! command -v bash >/dev/null; then
  echo "skip bash: not installed"
else
  same "bash: verb" "train" "$(reply trai)"
  same "bash: action" "check" "$(reply env ch)"
  same "bash: option" "--seconds --seed --set --strict" "$(reply env bench x --s | tr ' ' '\n' | sort | xargs)"
  same "bash: field" "train.updates=" "$(reply train two.lua --set train.up)"
  same "bash: field in one word" "--set=train.updates=" "$(reply train two.lua --set=train.up)"
  same "bash: field in parts" "train.updates=" "$(reply train two.lua --set = train.up)"
  same "bash: right behind =" "false true" "$(reply train two.lua --set episode.legal = | tr ' ' '\n' | sort | xargs)"
  same "bash: value in parts" "cosine" "$(reply train two.lua --set = lambda1.shape = cos)"
  same "bash: arm" "careful:" "$(reply train two.lua --set ca)"
  same "bash: field of an arm" "lambda1.start=" "$(reply train two.lua --set careful : lambda1.sta)"
  same "bash: file" "two.lua" "$(reply train tw)"
  same "bash: folder" "folder" "$(reply runs fo)"
  same "bash: run folder" "runs/mine" "$(reply report runs/m | tr ' ' '\n' | sort -u)"
  same "bash: nothing" "" "$(reply bogus x)"
  mkdir bin && ln -s "$PARL" bin/parl
  "$PARL" completion bash --program /nowhere/parl >parl.bash
  same "bash: the program that is on the line" "train" "$(PATH=$PWD/bin:$PATH reply trai)"
  same "bash: else the one that is named" "" "$(reply trai)"
fi

# The other shells read their scripts; fish can be asked.
for shell in bash zsh fish; do
  "$PARL" completion $shell >parl.$shell
  if ! command -v $shell >/dev/null; then
    echo "skip $shell reads its script: not installed"
  elif $shell -n parl.$shell 2>err; then
    echo "ok $shell reads its script"
  else
    echo "not ok $shell reads its script: $(cat err)"
  fi
done
if command -v fish >/dev/null; then
  asked() { HOME=$PWD fish -c "source parl.fish; complete -C '$1'" | cut -f 1 | tr '\n' ' '; }
  same "fish: verb" "train " "$(asked 'parl trai')"
  has "fish: field" "train.updates=" "$(asked 'parl train two.lua --set train.up')"
  has "fish: field in one word" "--set=train.updates=" "$(asked 'parl train two.lua --set=train.up')"
  has "fish: arm" "careful:" "$(asked 'parl train two.lua --set ca')"
  has "fish: file" "two.lua" "$(asked 'parl train tw')"
else
  echo "skip fish: not installed"
fi

code "an unknown shell" 2 "$PARL" completion zhs
has "the nearest" 'did you mean "zsh"' "$(cat "$SCRATCH/err")"
code "words behind a shell" 2 "$PARL" completion bash x
code "a program that a script cannot hold" 2 "$PARL" completion bash --program "a'b"
