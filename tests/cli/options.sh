#!/bin/sh
# The command line is read by one table: every command takes its own options, in every spelling, and no others.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
"$PARL" env new toy >/dev/null || exit 1

refused() { # NAME PART ARGS...: exit code 2, nothing on standard output, one line that says PART
  name=$1 part=$2
  shift 2
  "$PARL" "$@" >out 2>err
  same "$name: exit code" 2 $?
  same "$name: lines" "0 1" "$(($(wc -l <out))) $(($(wc -l <err)))"
  has "$name: text" "$part" "$(cat err)"
}

# Spellings of one value.
seen() { "$PARL" env play "$@" | sed -n 1p; }
wanted=$(seen toy.lua --seed 7 --as serial)
has "--name value" "seed 7  played by serial" "$wanted"
same "--name=value" "$wanted" "$(seen toy.lua --seed=7 --as=serial)"
same "options before the operand" "$wanted" "$(seen --seed=7 --as serial toy.lua)"
same "and before the action" "$wanted" "$("$PARL" env --seed 7 play --as serial toy.lua | sed -n 1p)"
same "the last one counts" "$wanted" "$(seen toy.lua --seed 1 --seed 7 --as serial)"
same "POSIXLY_CORRECT changes nothing" "$wanted" \
  "$(POSIXLY_CORRECT=1 "$PARL" env play toy.lua --seed 7 --as serial | sed -n 1p)"
cp toy.lua ./--seed
same "after -- all are operands" "$wanted" "$(seen --as serial --seed 7 -- --seed)"
same "without the option the default" "$(seen toy.lua --seed 1)" "$(seen toy.lua)"
code "-o VALUE" 0 "$PARL" model logits "$ROOT/tests/golden/moe" --tokens "$ROOT/tests/golden/moe/tokens.json" -o a
code "-oVALUE" 0 "$PARL" model logits "$ROOT/tests/golden/moe" --tokens "$ROOT/tests/golden/moe/tokens.json" -ob
code "--output VALUE" 0 "$PARL" model logits "$ROOT/tests/golden/moe" --tokens "$ROOT/tests/golden/moe/tokens.json" \
  --output=c
cmp -s a b && cmp -s a c && echo "ok they are one option" || echo "not ok they are one option: the files differ"

# What is wrong is said.
refused "unknown option" "train has no option --jsn; did you mean --json?" train x --jsn
refused "unknown, with a value" "did you mean --seed?" env play toy.lua --sead=3
refused "unknown letter" "has no option -q" train x -q
refused "unknown and near to nothing" "env play has no option --xylophone" env play toy.lua --xylophone
refused "abbreviation" "--see: options are written in full: --seed" env play toy.lua --see 3
refused "abbreviation with a value" "written in full: --seed" env play toy.lua --see=3
refused "no value" "--seed needs N" env play toy.lua --seed
refused "no value of a letter" "-o needs" model export x -o
refused "value of a switch" "--json takes no value" env play toy.lua --json=yes
refused "not a number" "--seed three: a whole number from 0 to 9007199254740991" env play toy.lua --seed three
refused "number and more" "--seed 3x" env play toy.lua --seed 3x
refused "empty number" "--seed : a whole number" env play toy.lua --seed=
refused "fraction" "--seed 1.5" env play toy.lua --seed 1.5
refused "negative" "--seed -1" env play toy.lua --seed -1
refused "beyond the range" "--seed 9007199254740993" env play toy.lua --seed 9007199254740993
refused "beyond 64 bits" "--seed 99999999999999999999" env play toy.lua --seed 99999999999999999999
refused "each command has its range" "--tasks 1: a whole number from 2 to 10000" env check toy.lua --tasks 1
for seconds in 0 -1 nan inf 3601 1s ''; do
  refused "seconds '$seconds'" "more than 0 and at most 3600" env bench toy.lua "--seconds=$seconds"
done
refused "not a choice" "--dtype f64: one of f32, bf16, auto" bench --dtype f64
refused "each command has its choices" "--dtype auto: one of f32, bf16" model export x -o y --dtype auto
refused "part of a choice" "--dtype f3: one of" bench --dtype f3
for visual in 0 91 1.5 half; do
  refused "visual '$visual'" "--visual" bench dep "--visual=$visual"
done
refused "too many threads" "--threads" bench dep --threads 17
refused "option of bench alone" "bench dep has no option --shapes; it belongs to bench" bench dep --shapes A
refused "option of another action" "env check has no option --as; it belongs to env play, env bench" \
  env check toy.lua --as serial
refused "option of another verb" \
  "runs has no option --set; it belongs to train, sweep, sweep plan, eval" runs x --set a=1
refused "too few operands" "train takes RECIPE, not 0 operands" train
refused "too many operands" "train takes RECIPE, not 2 operands" train a b
refused "operand of a verb without" "doctor takes no operand, not 1" doctor x
refused "no action" "env needs an action: new NAME, check FILE, play FILE, bench FILE" env
refused "an option of a verb, not of its action" \
  "sweep run has no option --plan; it belongs to train, sweep" sweep run x --plan
refused "an option of an action, not of its verb" \
  "sweep has no option --index; it belongs to sweep run" sweep x --index 1
refused "no action of a model" "model needs an action: describe DIR|k25|RECIPE, logits DIR" model
refused "no action of data" "data needs an action: hash RECIPE, show RECIPE, stats RECIPE" data
refused "unknown action" 'env has no action "chek"; did you mean "check"?' env chek toy.lua
refused "unknown and near to no action" 'model has no action "fly"; it has describe' model fly x
refused "empty action" 'env has no action ""' env '' toy.lua
refused "unknown verb" 'no verb "trian"; did you mean "train"?' trian
refused "help on nothing" 'no help on "trai"; did you mean "train"?' help trai
refused "help on an unknown action" 'did you mean "play"' help env pley
refused "help on an action of a verb without" "train has no actions" help train x
set -- --set a=1
while [ $# -lt 130 ]; do set -- "$@" --set a=1; done
refused "too many of a list" "at most 64 --set" train x "$@"

# Every command explains itself, in both ways, and lists exactly the options that it does not refuse.
"$PARL" help >all
n_commands=0
while read -r verb action rest; do
  case $action in [a-z]*) name="$verb $action" ;; *) name=$verb ;; esac
  n_commands=$((n_commands + 1))
  # shellcheck disable=SC2086
  "$PARL" $name --help >one 2>err
  same "$name --help" 0 $?
  # shellcheck disable=SC2086
  case $name in
    schedule) has "help $name begins with it, it is a topic too" "$(cat one)" "$("$PARL" help $name)" ;;
    *) same "help $name is the same" "$(cat one)" "$("$PARL" help $name)" ;;
  esac
  has "$name: usage" "usage: parl $name" "$(cat one)"
  grep -qE '^ +(-[a-z], )?--help' one && echo "ok $name: options" || echo "not ok $name: options: no --help"
  for option in --json --set --seed --tasks --dtype --layout --style --force --nonsense; do
    # The operand count is wrong on purpose: it is looked at last, so that nothing runs.
    # shellcheck disable=SC2086
    "$PARL" $name $option 1 2 3 4 5 >/dev/null 2>err
    if grep -qE "^  $option " one; then listed=yes; else listed=no; fi
    if grep -q "has no option $option" err; then taken=no; else taken=yes; fi
    [ $listed = $taken ] || echo "not ok $name $option: listed $listed, taken $taken: $(cat err)"
  done
done <<X2
$(grep '^  [a-z]' all | cut -c3-31)
X2
[ $n_commands -ge 15 ] && echo "ok $n_commands commands" || echo "not ok commands: only $n_commands"
code "help wins over what else is wrong" 0 "$PARL" train --sead 3 --help x y z
code "no verb" 2 "$PARL"
