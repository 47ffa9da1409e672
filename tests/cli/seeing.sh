#!/bin/sh
# Images from an environment's Lua to a trained policy, as a user meets them: check, play, bench; a policy that learns
# from pixels what it cannot know otherwise, to the same bits by any threads and after a kill; what a blind model hears.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
env=$ROOT/tests/envs/colours.lua

"$PARL" env check "$env" --tasks 4 --episodes 40 >log.txt 2>&1 && echo "ok check" ||
  echo "not ok check: $(grep -A 2 FAULT log.txt | tr '\n' ' ')"
text=$("$PARL" env play "$env" --seed 3)
has "play: tokens" "prompt   item:1 [image 1]" "$text"
has "play: the image" "[image 1]  6 x 8  prompt" "$text"
drawn=$(printf '%s\n' "$text" | sed -n '/^\[image 1\]/,$p' | grep -c '^  ......$')
same "play: 8 rows of 6 pixels are 4 lines of 6 characters" 4 "$drawn"
has "play: the shorter name stands for all of a launch" "turn 2, brief of #2; turn 2, message of #2" \
  "$("$PARL" env play "$env" --as wide --set env.params.n=2 --set env.params.width=9)"
has "play by hand draws what is asked about" "item:1 <|media_begin|> image <|media_content|> <|media_pad|>*2" \
  "$(printf 'finish\n' | "$PARL" env play "$env" --interactive --set env.params.width=9)"
colour=$(script -qc "TERM=xterm-256color '$PARL' env play '$env'" /dev/null 2>/dev/null | tr -d '\r')
esc=$(printf '\033')
if [ -z "$colour" ]; then
  echo "skip half blocks: no program script"
else
  has "play on a terminal: half blocks" "${esc}[38;2;" "$colour"
fi
json=$("$PARL" env play "$env" --json)
same "play --json" "4 6 8 16" "$(printf '%s' "$json" | python3 -c "
import json, sys
i = json.load(sys.stdin)['events'][0]['images'][0]
print(i['at'], i['width'], i['height'], len(i['content']))")"
"$PARL" env play "$env" --html page.html >log.txt 2>&1
same "play --html: exit code" 0 $?
same "play --html holds the pixels as PNG" "89504e470d0a1a0a" "$(python3 -c "
import base64, re
page = open('page.html').read()
print(base64.b64decode(re.search('base64,([^\"]*)', page).group(1))[:8].hex())")"
text=$("$PARL" env play "$env" --html page.html 2>&1)
same "play --html overwrites nothing" 2 $?
has "play --html overwrites nothing: text" "the file exists" "$text"
"$PARL" env bench "$env" --seconds 0.2 >log.txt 2>&1 && echo "ok bench" || echo "not ok bench: $(cat log.txt)"

cat >recipe.lua <<END
return {
  name = "colours",
  env = { file = "$env", params = { n = 1 }, holdout = 0.2 },
  model = {
    n_layers = 1, d_model = 32, n_heads = 2, n_kv_heads = 2, head_dim = 16, d_ff = 64, max_context = 96, init_std = 0.1,
    vision = { n_layers = 1, d_model = 16, n_heads = 2, d_ff = 32 },
  },
  warm = { mix = "guess=0.7,serial=0.3", steps = 40, episodes = 32, lr = 0.003 },
  train = { updates = 20, tasks = 8, group = 8 },
  optimizer = { lr = 0.003 },
  episode = { budget_factor = 2 },
  agents = { subs = "scripted" },
  eval = { tasks = 200, baselines = "guess" },
  run = { dir = "one", seed = 1, n_seeds = 1, dtype = "f32" },
}
END
# Images that only a large patch makes few enough tokens of: who opens the environment for a model asks for its patch.
sed 's/width = 16, height = 8,/width = 336, height = 336,/' "$env" >large.lua
sed "s|$env|$PWD/large.lua|; s/d_ff = 32 }/d_ff = 32, patch = 14 }/" recipe.lua >large_recipe.lua
code "describe: the patch of the recipe" 0 "$PARL" model describe large_recipe.lua
code "help: any patch" 0 "$PARL" help ./large.lua
code "a patch that is too small" 1 "$PARL" env play large.lua
has "a patch that is too small: text" "is 1764 tokens where model.vision.patch is 4" "$(cat "$SCRATCH/err")"
# Learning takes long under sanitizers: there a few steps will do.
short=
[ "${PARL_BUILD:-release}" = release ] || short="--set warm.steps=4 --set train.updates=3 --set eval.tasks=8"
# train FOLDER OPTION...: the hash of its run
train() {
  folder=$1
  shift
  # shellcheck disable=SC2086
  "$PARL" train recipe.lua --quiet $short --set run.dir="$folder" "$@" >log.txt 2>&1 || cat log.txt
  sed -n 's/^hash \([0-9a-f]*\).*/\1/p' log.txt
}
# score FOLDER ARM
score() {
  awk -F, -v arm="$2" '$1 == arm && $5 == "" && $6 == "r_perf" && $4 != "greedy" {print $7}' "$1/report_seeds.csv"
}
# between TEXT LOW X HIGH
between() {
  [ -n "$short" ] && { echo "skip $1: only where it is fast"; return; }
  awk -v a="$2" -v x="$3" -v b="$4" 'BEGIN {exit !(x != "" && x >= a && x <= b)}' && echo "ok $1" ||
    echo "not ok $1: $3 is outside of $2 to $4"
}
hash=$(train one)
between "who guesses scores a half" 0.42 "$(score one guess)" 0.58
between "the warm start has seen some of it" 0.54 "$(score one untrained)" 0.85
between "reinforcement has learned to see" 0.95 "$(score one trained)" 1
same "4 threads, the same bits" "$hash" "$(train four --set run.threads=4)"
wide="--set model.preset=k2 --set optimizer.kind=muonclip --set agents.subs=trained --set warm.mix=wide=1
  --set warm.steps=6 --set env.params.n=3 --set env.params.prompted=false --set train.updates=2 --set eval.tasks=8
  --set episode.context_policy=summary --set episode.context_threshold=0.5"
# shellcheck disable=SC2086
hash=$(train wide $wide)
same "sub-agents that learn from what they are shown" 16 "${#hash}"
# shellcheck disable=SC2086
same "the same on far, by 3 threads" "$hash" "$(train far $wide --set run.backend=far --set run.threads=3)"

# clips: three noisy frames as one item, learned from, on any number of threads and backends, stored and played again
clips="--set env.params.frames=3 --set train.updates=2 --set train.store_episodes=all"
# shellcheck disable=SC2086
hash=$(train clips $clips)
same "clips are learned from" 16 "${#hash}"
# shellcheck disable=SC2086
same "the same on far, by 3 threads" "$hash" "$(train far_clips $clips --set run.backend=far --set run.threads=3)"
has "a clip is replayed" "as stored, to the last bit" "$("$PARL" replay clips 2 --arm trained 2>&1)"
has "and shown frame by frame" "6 x 8, 3 frames" "$("$PARL" replay clips 2 --arm trained 2>&1)"
text=$("$PARL" train recipe.lua --quiet $short --set run.dir=longer --set env.params.frames=3 \
  --set model.vision.max_frames=2 2>&1)
same "a clip longer than the model's: exit code" 1 $?
has "it names the field" "a clip of 3 frames, but model.vision.max_frames = 2" "$text"

# published, it reads the picture of the page above
"$PARL" model export wide/checkpoints/trained-s1.safetensors -o published >log.txt 2>&1 || cat log.txt
python3 -c "
import base64, json, re
page = open('page.html').read()
open('seen.png', 'wb').write(base64.b64decode(re.search('base64,([^\"]*)', page).group(1)))
pad = json.load(open('published/config.json'))['media_placeholder_token_id']
json.dump({'tokens': [[1, pad - 3, pad - 2, pad - 1, pad, pad + 1]]}, open('tokens.json', 'w'))"
code "a published policy is given an image" 0 "$PARL" model logits published --tokens tokens.json --media seen.png \
  -o logits.safetensors
blind=$(train words --set env.params.words=true --set model.vision.n_layers=0)
[ -n "$blind" ] && echo "ok the same scene in words, without a tower" || echo "not ok words: $(cat log.txt)"
text=$("$PARL" train recipe.lua --quiet --set run.dir=blind --set model.vision.n_layers=0 2>&1)
same "a blind model: exit code" 1 $?
has "a blind model is told how to see" "set model.vision.n_layers to 1 or more" "$text"

# a stored episode is played again from its seeds: the script draws again
train stored --set train.store_episodes=all --set train.updates=2 --set env.params.n=3 --set model.vision.patch=2 \
  --set agents.subs=policy --set warm.mix=wide=1 --set warm.steps=40 >hash.txt
text=$("$PARL" replay stored 2 --arm trained 2>&1)
same "replay: exit code" 0 $?
has "replay: as stored" "as stored, to the last bit" "$text"
has "replay shows the images" "[image 3]  6 x 8" "$text"
has "trace has the messages" "<|media_pad|>*4 <|media_end|>" "$("$PARL" trace stored 2 --arm trained 2>&1)"
"$PARL" trace stored 2 --arm trained --html trace.html >log.txt 2>&1 || cat log.txt
same "trace --html shows each picture once, as PNG" 3 "$(grep -o 'src="data:image/png;base64,' trace.html | wc -l)"
has "and where" "[image 3] 6 x 8: prompt" "$(cat trace.html)"
has "play by a checkpoint cuts images as its model does" "prompt   item:1 [image 1]" \
  "$("$PARL" env play "$env" --as stored/checkpoints/trained-s1.safetensors 2>&1)"

# killed and resumed; unfinished episodes wait, with what they were shown
hash=$(train whole --set train.partial=1 --set run.checkpoint_every=2 --set env.params.n=3)
# shellcheck disable=SC2086
"$PARL" train recipe.lua --quiet $short --set run.dir=killed --set train.partial=1 --set run.checkpoint_every=2 \
  --set env.params.n=3 >log.txt 2>&1 &
pid=$!
for i in $(seq 1 400); do
  [ -n "$(ls killed/checkpoints/ 2>/dev/null | grep -v warm)" ] && break
  sleep 0.01
done
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
same "killed and resumed, the same bits" "$hash" \
  "$(train killed --set train.partial=1 --set run.checkpoint_every=2 --set env.params.n=3)"
