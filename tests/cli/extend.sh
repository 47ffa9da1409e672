#!/bin/sh
# A longer context in stages: --extend and pretrain.extend, a checkpoint for each seed, kill -9 and threads, what a
# switch changes at once, what is refused.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
recipe() { # NAME CONTEXT FACTOR LENGTH MORE
  cat <<END
local file = "$ROOT/experiments/sources/needles.lua"
return {
  name = "$1", run = {n_seeds = 2, seed = 7, checkpoint_every = 2, threads = 1},
  env = {file = "$ROOT/envs/long_read.lua", params = {context = 64, pages_min = 2, pages_max = 4, facts_max = 2,
         pairs = 4}},
  model = {n_layers = 1, d_model = 16, n_heads = 1, n_kv_heads = 1, head_dim = 16, d_ff = 32, init_std = 0.2,
           max_context = $2, rope_factor = $3, rope_original_context = 64},
  sources = {
    long = {file = file, params = {length = $4}},
    text = {file = file, params = {needles = 0}, weight = {start = 0.2}},
  },
  pretrain = {steps = 12, batch_tokens = 512, lr = 0.01, eval_documents = 4, eval_every = 6},
  warm = {steps = 0, probe = 0}, train = {updates = 0}, eval = {tasks = 1, baselines = ""},
  $5
}
END
}
recipe base 64 1 64 "" >base.lua
recipe stage 128 2 128 "" >stage.lua
recipe arms 128 1 128 'arms = {{name = "plain"}, {name = "yarn", model = {rope_factor = 2}}},' >arms.lua
recipe second 256 4 256 "" >second.lua

# train RECIPE FOLDER OPTION...: the hash of its runs
train() {
  made=$1 folder=$2
  shift 2
  "$PARL" train "$made" --quiet --set run.dir="$folder" "$@" >log.txt 2>&1 || cat log.txt
  sed -n 's/^hash \([0-9a-f]*\).*/\1/p' log.txt
}
from='base/checkpoints/trained-s{seed}.safetensors'
train base.lua base >/dev/null
same "a run without updates ends with a checkpoint" "trained-s7.safetensors trained-s8.safetensors" \
  "$(cd base/checkpoints && echo trained-*)"

hash=$(train stage.lua whole --extend "$from")
same "a stage" 16 "${#hash}"
same "2 threads, the same bits" "$hash" "$(train stage.lua two --extend "$from" --set run.threads=2)"
same "from the recipe, the same bits" "$hash" "$(train stage.lua set --set pretrain.extend="$from")"
for wait in 0.03 0.06 0.1 0.15 0.25; do
  killed_after $wait "$PARL" train stage.lua --quiet --set run.dir="killed$wait" --extend "$from"
  same "killed after $wait s, the same bits" "$hash" "$(train stage.lua "killed$wait" --extend "$from")"
done
killed_at "part/checkpoints/pretrain*tensors" "$PARL" train stage.lua --quiet --set run.dir=part --extend "$from" \
  --set run.checkpoint_every=1
has "killed on the way: in the first seed's stage" pretrain "$(ls part/checkpoints)"
same "killed on the way: before the second's end" 0 "$(ls part/checkpoints | grep -c trained-s8)"
same "killed on the way, the same bits" "$hash" "$(train stage.lua part --extend "$from")"
same "each seed begins as its own" 2 "$(ask whole "SELECT DISTINCT value FROM metric JOIN run ON run.id = run_id
  WHERE arm = 'trained' AND key = 'pretrain/held_out/text' AND at_update = 0" | wc -l)"

# at the switch: a longer context alone changes nothing, YaRN everything at once
look() { # FOLDER ARM STEP: of seed 7, on short texts
  ask "$1" "SELECT value FROM metric JOIN run ON run.id = run_id WHERE arm = '$2' AND seed = 7
    AND key = 'pretrain/held_out/text' AND at_update = $3"
}
train arms.lua arms --extend "$from" >/dev/null
same "a longer context changes nothing of short texts" "$(look base trained 12)" "$(look arms plain 0)"
[ "$(look arms yarn 0)" != "$(look arms plain 0)" ] && echo "ok YaRN does" || echo "not ok YaRN does"
same "an arm as the stage by itself" "$(look whole trained 12)" "$(look arms yarn 12)"

chained=$(train second.lua second --extend 'whole/checkpoints/trained-s{seed}.safetensors')
same "a second stage" 16 "${#chained}"
has "the store knows where it began" 'trained-s{seed}.safetensors' \
  "$(ask second "SELECT config FROM run WHERE arm = 'trained' AND seed = 8")"

# another model to begin as is another run
train base.lua other --set pretrain.lr=0.02 >/dev/null
code "another checkpoint in the same folder" 2 "$PARL" train stage.lua --quiet --set run.dir=whole \
  --extend 'other/checkpoints/trained-s{seed}.safetensors'
has "another checkpoint in the same folder: text" "init" "$(cat "$SCRATCH/err")"

refused() { # WHAT CODE PART OPTION...
  what=$1 due=$2 part=$3
  shift 3
  code "refused: $what" "$due" "$PARL" train stage.lua --quiet --set run.dir=refused "$@"
  has "refused: $what: text" "$part" "$(cat "$SCRATCH/err")"
}
refused "other fields" 1 "model.n_layers = 1 (not 2), model.rope_theta = 10000 (not 500); an" --extend "$from" \
  --set model.n_layers=2 --set model.rope_theta=500
refused "a shorter context" 1 "model.max_context = 64, which 63" --extend "$from" --set model.max_context=63 \
  --set env.params.context=48
refused "--init beside it" 2 "both given" --extend "$from" --init "$from"
refused "init beside it" 2 "both given" --extend "$from" --set pretrain.init=x
refused "no such file" 1 "pretrain.extend" --extend 'nowhere-s{seed}.safetensors'
refused "by --init" 1 "model.rope_factor = 1 (not 2)" --init "$from"
refused "--init of nothing" 2 "--init needs CHECKPOINT" --init ''
refused "--extend of nothing" 2 "--extend needs CHECKPOINT" --extend ''
cp base/checkpoints/trained-s7.safetensors mixed-s7.safetensors
echo junk >mixed-s8.safetensors
refused "a second seed's file" 1 "mixed-s8.safetensors" --extend 'mixed-s{seed}.safetensors'
[ -e refused ] && echo "not ok nothing is made" || echo "ok nothing is made"
