#!/bin/sh
# Documents to a model that begins: hash, show and stats; pretraining that learns, to the same bits by any threads,
# after kill -9 and beside another arm; --init; what is refused.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
cat >recipe.lua <<END
local side = {side = 2, things_max = 2}
return {
  name = "tiny", run = {n_seeds = 1, checkpoint_every = 3},
  env = {file = "$ROOT/envs/shapes.lua", params = {modality = "image", side = 2, pictures_max = 1,
         things_max = 2}},
  model = {n_layers = 1, d_model = 32, n_heads = 2, n_kv_heads = 2, head_dim = 16, d_ff = 64, init_std = 0.1,
           vision = {n_layers = 1, d_model = 16, n_heads = 2, d_ff = 32}},
  sources = {
    pictures = {file = "$ROOT/experiments/sources/shape_captions.lua", params = side, weight = {start = 0.7},
                augment = {flip_x = 0.5, turn = 0.5}},
    words = {file = "$ROOT/experiments/sources/shape_captions.lua", weight = {start = 0.3},
             params = {side = 2, things_max = 2, as = "words"}},
  },
  pretrain = {steps = 24, batch_tokens = 512, lr = 0.005, eval_every = 12, eval_documents = 24},
  warm = {steps = 0, probe = 0}, train = {updates = 0}, eval = {tasks = 4, baselines = ""},
}
END
"$PARL" data hash recipe.lua --batches 12 --threads 1 >one.txt 2>err || cat err
same "hash: 64 digits" 65 "$(($(wc -c <one.txt)))"
same "hash: 4 threads" "$(cat one.txt)" "$("$PARL" data hash recipe.lua --batches 12 --threads 4)"
same "hash: on ref" "$(cat one.txt)" "$("$PARL" data hash recipe.lua --batches 12 --set run.backend=ref)"
differs() { [ "$2" != "$3" ] && echo "ok $1" || echo "not ok $1: both are $2"; }
differs "hash: another seed" "$(cat one.txt)" "$("$PARL" data hash recipe.lua --batches 12 --seed 2)"
differs "hash: another weight" "$(cat one.txt)" \
  "$("$PARL" data hash recipe.lua --batches 12 --set sources.words.weight.start=0.7)"
# augmented: the same for any threads and backend; what is said goes with the picture
augmented() { # SUBCOMMAND OPTION...
  action=$1
  shift
  "$PARL" data "$action" recipe.lua --set sources.pictures.augment.crop=0.5 --set sources.pictures.augment.flip_x=0.5 \
    --set sources.pictures.augment.turn=0.5 "$@"
}
varied=$(augmented hash --batches 12 --threads 1)
differs "hash: augmented" "$(cat one.txt)" "$varied"
same "hash: augmented, 2 threads" "$varied" "$(augmented hash --batches 12 --threads 2)"
same "hash: augmented, 4 threads on ref" "$varied" "$(augmented hash --batches 12 --threads 4 --set run.backend=ref)"
has "stats: documents that are augmented" '"augmented":0' "$("$PARL" data stats recipe.lua --batches 2 --json)"
same "a source of all questions, augmented" 0 "$(for ability in caption how_many where what; do
  augmented show --source pictures --documents 30 --set sources.pictures.params.ability=$ability >shown.txt ||
    echo fails
  grep -q 'augmented: crop 8 x' shown.txt || echo "none"
done | wc -l)"
# scaled, a cell is of no whole number of pixels: what is said is the same
large() { # OPTION...: what is said of scenes that do not lie in halves
  "$PARL" data show recipe.lua --source pictures --documents 30 --set env.params.side=3 \
    --set sources.pictures.params='{"side":3,"things_max":5}' --set sources.pictures.params.ability="$ability" \
    --set sources.pictures.augment.flip_x=0 --set sources.pictures.augment.turn=0 "$@" >shown.txt || echo fails
  sed -n 's/.*<|media_end|> //p' shown.txt
}
for ability in caption counts how_many where what; do
  plain=$(large)
  for scale in 0.5 0.6; do
    same "scaled by $scale, the same is said: $ability" "$plain" \
      "$(large --set sources.pictures.augment.scale_min=$scale)"
    same "and some are, to 16 x 16: $ability" 1 "$(grep -c -m 1 'augmented: scale to 16 x 16' shown.txt)"
  done
done
text=$("$PARL" data show recipe.lua --source pictures --documents 1)
has "show: an image among the tokens" "<|media_content|> (image 1, 4 tokens) <|media_end|> [value:n" "$text"
same "show: its 16 rows are 8 lines" 8 "$(printf '%s\n' "$text" | grep -c '^  ................$')"
code "show: no such source" 2 "$PARL" data show recipe.lua --source picture
has "show: no such source: text" 'did you mean "pictures"?' "$(cat "$SCRATCH/err")"
has "stats: shares" "24 steps" "$("$PARL" data stats recipe.lua --batches 24)"
"$PARL" data stats recipe.lua --batches 24 --json >stats.json
same "stats: tokens follow the weights" "True True" "$(python3 -c "
import json
s = json.load(open('stats.json'))
share = s['sources']['pictures']['tokens'] / s['all']['tokens']
print(abs(share - 0.7) < 0.01, s['fill'] > 0.95)")"

# the study of pictures that join text: whenever they do, the tokens of every source are the same
budget() { # ARM STEPS
  (cd "$ROOT" && "$PARL" data stats experiments/recipes/fusion.lua --arm "$1" --batches "$2" --json) >"$1.json"
  python3 -c "
import json, sys
print(*(of['tokens'] for name, of in sorted(json.load(open(sys.argv[1]))['sources'].items())))" "$1.json"
}
seen="7680 7680 7680" read="51840 51840 51840 51840"
same "early: tokens by source" "$seen $read" "$(budget early 480)"
same "mid: the same" "$seen $read" "$(budget mid 480)"
same "late: the same" "$seen $read" "$(budget late 480)"
same "text alone: the same of text" "0 0 0 $read" "$(budget text 432)"

# train FOLDER OPTION...: the hash of its run
train() {
  folder=$1
  shift
  "$PARL" train recipe.lua --quiet --set run.dir="$folder" "$@" >log.txt 2>&1 || cat log.txt
  sed -n 's/^hash \([0-9a-f]*\).*/\1/p' log.txt
}
hash=$(train one)
same "a run" 16 "${#hash}"
same "3 threads, the same bits" "$hash" "$(train three --set run.threads=3)"
value() { # KEY STEP: of run folder one
  python3 -c "
import sqlite3, sys
print(sqlite3.connect('one/store.db').execute('SELECT value FROM metric WHERE key = ? AND at_update = ?',
                                              (sys.argv[1], sys.argv[2])).fetchone()[0])" "$1" "$2"
}
less() { # NAME A B: A is below B
  awk -v a="$2" -v b="$3" 'BEGIN {exit !(a != "" && b != "" && a < b)}' && echo "ok $1" || echo "not ok $1: $2, $3"
}
less "the loss on held-out pictures falls" "$(value pretrain/held_out/pictures 24)" \
  "$(python3 -c "print(0.8 * $(value pretrain/held_out/pictures 0))")"
less "and on words" "$(value pretrain/held_out/words 24)" \
  "$(python3 -c "print(0.8 * $(value pretrain/held_out/words 0))")"
less "accuracy rises" "$(value pretrain/held_out_accuracy/words 0)" "$(value pretrain/held_out_accuracy/words 24)"

# killed between checkpoints
killed_at "killed/checkpoints/pretrain*tensors" "$PARL" train recipe.lua --quiet --set run.dir=killed
same "killed before its end" 0 "$(ls killed/checkpoints | grep -c trained)"
same "killed and resumed, the same bits" "$hash" "$(train killed)"

# what reinforcement does afterwards does not make another pretrained model; its metrics stay through resumption
arms='{{name = "a"}, {name = "b", optimizer = {lr = 0.002}, warm = {steps = 1}}}'
sed "s/updates = 0/updates = 2, tasks = 2, group = 2/; s/name = \"tiny\"/name = \"tiny\", arms = $arms/" recipe.lua \
  >arms.lua
"$PARL" train arms.lua --quiet --log jsonl --set run.threads=2 --set run.dir=arms \
  --set run.checkpoint_every=1 >log.txt 2>&1 || cat log.txt
same "arms share the pretrained model" 1 "$(ls arms/checkpoints | grep -c '^pretrain')"
same "each arm has the metrics" 2 "$(python3 -c "
import sqlite3
print(sqlite3.connect('arms/store.db').execute(
    'SELECT count(*) FROM metric WHERE key = \"pretrain/loss\" AND at_update = 23').fetchone()[0])")"

grep -q pretrain/ arms/jsonl/a-s1.jsonl && echo "not ok the log is of updates: pretrain/ is in it" ||
  echo "ok the log is of updates"

# --init
init=$(ls one/checkpoints/pretrain-*.safetensors)
sed 's/pretrain = {.*/pretrain = {},/; s/updates = 0/updates = 1, tasks = 2, group = 2/' recipe.lua >begin.lua
code "--init begins as a checkpoint" 0 "$PARL" train begin.lua --quiet --init "$init" --set run.dir=begun
"$PARL" train begin.lua --quiet --set run.dir=fresh >log.txt 2>&1 || cat log.txt
differs "it is another model" "$(sha256sum <begun/checkpoints/trained-s1.safetensors)" \
  "$(sha256sum <fresh/checkpoints/trained-s1.safetensors)"
code "--init of another vocabulary" 1 "$PARL" train "$ROOT/experiments/recipes/quickstart.lua" --quiet --init "$init" \
  --set run.dir=other
has "--init of another vocabulary: text" "vocabulary" "$(cat "$SCRATCH/err")"
code "--init of another size" 1 "$PARL" train begin.lua --quiet --init "$init" --set run.dir=other --set model.d_ff=32
has "--init of another size: text" "pretrain.init" "$(cat "$SCRATCH/err")"
has "and what differs" "the file's model has model.d_ff = 64 (not 32)" "$(cat "$SCRATCH/err")"
code "--init of nothing" 1 "$PARL" train begin.lua --init nothing.safetensors --set run.dir=other
has "--init of nothing: text" "pretrain.init" "$(cat "$SCRATCH/err")"

# a part of it, by the seed's own file; and vision alone
mkdir seeds && cp "$init" seeds/m-1.safetensors
cat >same.py <<'END'
import json, struct, sys
def read(path):
    data = open(path, "rb").read()
    n, = struct.unpack("<Q", data[:8])
    head = json.loads(data[8:8 + n])
    return {name: data[8 + n + of["data_offsets"][0]:8 + n + of["data_offsets"][1]] for name, of in head.items()
            if not name.startswith(("__metadata__", "optimizer."))}
a, b = map(read, sys.argv[1:])
parts = {"vision_tower.": [], "mm_projector.": [], "": []}
for name in set(a) & set(b):
    parts[next(p for p in parts if name.startswith(p))].append(a[name] == b[name])
print(*("all" if all(x) else "some" if any(x) else "none" for x in parts.values()))
END
same_tensors() { # A B: how many are bit for bit the same of tower, projector, decoder
  python3 same.py "$1" "$2"
}
code "--init_part" 0 "$PARL" train begin.lua --quiet --init "seeds/m-{seed}.safetensors" \
  --set pretrain.init_part=tower --set run.dir=tower --set optimizer.lr=0
same "a tower's weights, and no others" "all none none" \
  "$(same_tensors "$init" tower/checkpoints/trained-s1.safetensors)"
"$PARL" train begin.lua --quiet --set run.dir=drawn --set optimizer.lr=0 >log.txt 2>&1 || cat log.txt
same "the others as drawn" "none all all" \
  "$(same_tensors drawn/checkpoints/trained-s1.safetensors tower/checkpoints/trained-s1.safetensors)"
vision() { # FOLDER OPTION...
  folder=$1
  shift
  train "$folder" --init "seeds/m-{seed}.safetensors" --set pretrain.train=vision --set pretrain.steps=4 \
    --set pretrain.eval_documents=4 --set pretrain.weight_decay=0.1 "$@"
}
hash=$(vision vision)
same "vision alone: a run" 16 "${#hash}"
same "vision alone: the decoder stays" "none none all" \
  "$(same_tensors "$init" vision/checkpoints/pretrain-*.safetensors)"
sparse="--set model.n_routed_experts=4 --set model.moe_d_ff=16 --set model.first_k_dense=0"
# shellcheck disable=SC2086
"$PARL" train begin.lua --quiet --set run.dir=sparse --set optimizer.lr=0 $sparse >log.txt 2>&1 || cat log.txt
# shellcheck disable=SC2086
train experts --set pretrain.train=vision --set pretrain.steps=2 --set pretrain.eval_documents=0 $sparse >log.txt
same "vision alone: experts' selection stays, too" "none none all" \
  "$(same_tensors sparse/checkpoints/warm-*.safetensors experts/checkpoints/pretrain-*.safetensors)"
vision all --set pretrain.train=all >log.txt
differs "vision alone is another model" "$(basename vision/checkpoints/pretrain-*)" \
  "$(basename all/checkpoints/pretrain-*)"
more() { # NAME A B: A is not below B
  awk -v a="$2" -v b="$3" 'BEGIN {exit !(a != "" && b != "" && a >= b)}' && echo "ok $1" || echo "not ok $1: $2, $3"
}
more "documents all right are no more than right tokens" "$(value pretrain/held_out_accuracy/words 24)" \
  "$(value pretrain/held_out_exact/words 24)"
more "nor than those of the due kind" "$(value pretrain/held_out_of_kind/words 24)" \
  "$(value pretrain/held_out_exact/words 24)"

# refused before anything is made
refused() { # PART OPTION...
  part=$1
  shift
  code "refused: $part" 2 "$PARL" train recipe.lua --set run.dir=refused "$@"
  has "refused: $part: text" "$part" "$(cat "$SCRATCH/err")"
}
refused "did you mean \"file\"?" --set sources.words.fil=x
refused 'pretrain.init names no checkpoint' --set pretrain.init_part=tower
refused 'pretrain.train = "vision", but the model has no tower' --set pretrain.train=vision \
  --set model.vision.n_layers=0
refused "pretrain.steps = 0" --set pretrain.train=vision --set pretrain.steps=0
refused "every weight is 0" --set sources.words.weight.start=0 --set sources.pictures.weight.start=0
refused "the least of model.max_context" --set model.max_context=1
refused "no metric" --set sources.words.weight.shape=closed_loop --set sources.words.weight.stop=1
refused "no parameter 'sid'" --set 'sources.words.params={"sid":1}'
code "a source that is nowhere" 1 "$PARL" train recipe.lua --set run.dir=refused --set sources.words.file=nowhere.lua
has "a source that is nowhere: text" 'no source "nowhere.lua"' "$(cat "$SCRATCH/err")"
sed 's/document = function(rng, params, augment)/& error("its own")/' "$ROOT/experiments/sources/shape_captions.lua" \
  >fails.lua
code "a script that fails" 1 "$PARL" train recipe.lua --quiet --set run.dir=failed \
  --set sources.words.file="$PWD/fails.lua"
has "a script that fails: text" "failed: pretraining: sources.words: document of seed" "$(cat "$SCRATCH/err")"
sed '/sources = {/,/^  },/d' recipe.lua >none.lua
code "steps without sources" 2 "$PARL" train none.lua
has "steps without sources: text" "the recipe has no \`sources\`" "$(cat "$SCRATCH/err")"
