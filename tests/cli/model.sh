#!/bin/sh
# parl model as a user meets it: counts, logits of a published folder, refusals.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/model
mkdir -p "$dir"

k25=$("$PARL" model describe k25 --json)
has "k25 is counted" '"parameters":1026879353328,"active_parameters":32861477888,' "$k25"
has "its eyes, too" '"tower_parameters":416866032,"projector_parameters":54277888,' "$k25"
has "its cache is counted" '"cache_bytes_per_token":140544,' "$("$PARL" model describe k25 --json)"
has "and in bf16" '"cache_bytes_per_token_bf16":70272,' "$("$PARL" model describe k25 --json)"
has "a folder is counted" '23.82 k' "$("$PARL" model describe tests/golden/moe)"
has "a recipe is counted" 'parameters' "$("$PARL" model describe experiments/recipes/quickstart.lua)"

has "a layout is counted" '"devices":256,"stages":[{"first_layer":0,"layers":3,"parameters":4552841456,' \
  "$("$PARL" model describe k25 --json --layout ep=16,pp=16,dp=16)"
has "a table of stages" '   15  58-60' "$("$PARL" model describe k25 --layout ep=16,pp=16,dp=16)"
for layout in tp=3 ep=5 ep=16 pp=62 dp=0 tp=1.5 ept=1 tp tp=,ep 'tp=1,tp' dtype=f16; do
  code "no layout: $layout" 2 "$PARL" model describe k25 --layout "$layout"
done
code "logits has no layout" 2 "$PARL" model logits tests/golden/moe --layout tp=1

folder=tests/golden/moe
for backend in ref cpu; do
  code "logits on $backend" 0 "$PARL" model logits $folder --tokens $folder/tokens.json \
    -o "$dir/$backend.safetensors" --grads --backend $backend
  has "names on $backend" '"grad.model.layers.1.mlp.experts.5.down_proj.weight"' \
    "$(head -c 20000 "$dir/$backend.safetensors" | tr -d '\0')"
done

out=$("$PARL" model export $folder -o "$dir/published" --json --shard-size 50000)
has "a folder is published" '"values":23832,"files":2,"bytes":95328' "$out"
"$PARL" model logits $folder --tokens $folder/tokens.json -o "$dir/before"
"$PARL" model logits "$dir/published" --tokens $folder/tokens.json -o "$dir/after"
if cmp -s "$dir/before" "$dir/after"; then echo "ok its logits are the same"; else echo "not ok its logits differ"; fi
code "a folder is not written over" 1 "$PARL" model export $folder -o "$dir/published"
has "it exists" 'File exists' "$(cat "$SCRATCH/err")"
code "export needs a folder" 2 "$PARL" model export $folder
code "export to f16" 2 "$PARL" model export $folder -o "$dir/x" --dtype f16
code "shards of nothing" 2 "$PARL" model export $folder -o "$dir/x" --shard-size 0
code "shards of words" 2 "$PARL" model export $folder -o "$dir/x" --shard-size 5GB
code "an option of another action" 2 "$PARL" model export $folder -o "$dir/x" --grads
code "no checkpoint" 1 "$PARL" model export "$dir/none" -o "$dir/x"
if [ -e "$dir/x" ]; then echo "not ok a refusal leaves no folder"; else echo "ok a refusal leaves no folder"; fi

mkdir -p "$dir/padded"
cp $folder/model.safetensors $folder/tokens.json "$dir/padded"
token=$(sed 's/[^0-9]*\([0-9]*\).*/\1/' $folder/tokens.json)
sed "1s/{/{ \"pad_token_id\": $token,/;/\"pad_token_id\": null/d" $folder/config.json >"$dir/padded/config.json"
code "a padding token" 0 "$PARL" model logits "$dir/padded" --tokens $folder/tokens.json -o "$dir/padded/out" --grads
# 24 values of its row of the embedding's gradient are zero; nothing else differs behind the header with its digest.
header=$(($(od -An -N8 -t u8 "$dir/cpu.safetensors") + 8))
n=$(cmp -l "$dir/cpu.safetensors" "$dir/padded/out" | awk -v header="$header" '$1 > header { n++; other += $3 != 0 }
  END { print (n > 0 && n <= 96 && !other) }')
if [ "$n" = 1 ]; then echo "ok its embedding is not trained"; else echo "not ok its embedding is trained"; fi

code "no tokens" 2 "$PARL" model logits $folder -o "$dir/x"
code "no such folder" 1 "$PARL" model logits "$dir" --tokens $folder/tokens.json -o "$dir/x"
has "the file is named" config.json "$(cat "$SCRATCH/err")"
echo '{"tokens": [[1, 2], [3]]}' >"$dir/ragged.json"
code "lists of unequal length" 1 "$PARL" model logits $folder --tokens "$dir/ragged.json" -o "$dir/x"
has "the row is named" 'row 1' "$(cat "$SCRATCH/err")"
echo '{"tokens": [[1, 53]]}' >"$dir/beyond.json"
code "a token beyond the vocabulary" 2 "$PARL" model logits $folder --tokens "$dir/beyond.json" -o "$dir/x"
echo '{"tokens": [[1]]}' >"$dir/one.json"
code "one token has logits" 0 "$PARL" model logits $folder --tokens "$dir/one.json" -o "$dir/x"
code "but no gradient" 2 "$PARL" model logits $folder --tokens "$dir/one.json" -o "$dir/y" --grads
code "an unknown action" 2 "$PARL" model fly $folder
code "products in bf16" 0 "$PARL" model logits $folder --tokens $folder/tokens.json -o "$dir/bf16" --dtype bf16
code "and in f32" 0 "$PARL" model logits $folder --tokens $folder/tokens.json -o "$dir/f32"
if cmp -s "$dir/bf16" "$dir/f32"; then echo "not ok bf16 is f32"; else echo "ok they differ"; fi
code "an unknown dtype" 2 "$PARL" model logits $folder --tokens $folder/tokens.json -o "$dir/y" --dtype f16
has "the valid ones" "f32, bf16, auto" "$(cat "$SCRATCH/err")"
code "a backend without the dtype" 2 "$PARL" model logits $folder --tokens $folder/tokens.json -o "$dir/y" \
  --backend ref --dtype bf16
if [ -e "$dir/y" ]; then echo "not ok a failure leaves no file"; else echo "ok a failure leaves no file"; fi
