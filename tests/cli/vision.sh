#!/bin/sh
# A model that sees, as a user meets it: trained blind, published, shown pictures and patches.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir=$SCRATCH/vision
mkdir -p "$dir" && cd "$dir" || exit 1
cat >tiny.lua <<X2
return {
  name = "tiny", run = { n_seeds = 1 }, env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 12, n_heads = 2, head_dim = 4, d_ff = 16, preset = "mla",
            vision = { n_layers = 1, d_model = 16, n_heads = 2, d_ff = 16, patch = 4, media_token = 3 } },
  warm = { steps = 1, episodes = 4, mix = "serial=1", probe = 4 },
  train = { updates = 1, tasks = 1, group = 2 }, eval = { tasks = 2, baselines = "serial" },
}
X2
code "a model with a tower trains" 0 "$PARL" train tiny.lua --quiet
code "it is published" 0 "$PARL" model export runs/tiny/checkpoints/trained-s1.safetensors -o published
has "as kimi_k25" '"model_type": "kimi_k25"' "$(cat published/config.json)"
has "in both spellings" '"vt_hidden_size": 16' "$(cat published/config.json)"
has "pictures are prepared for its patches" '"patch_size": 4' "$(cat published/preprocessor_config.json)"
has "a folder's tower is counted" '"tower_parameters":3536,"projector_parameters":4972,' \
  "$("$PARL" model describe published --json)"

# IN: an image of 2 x 4 patches and a clip of two frames of 2 x 2: 2 and 1 rows of features.
cat >write.py <<'X2'
import json, math, struct, sys
def write(path, tensors):
    header, data = {}, b""
    for name, dtype, shape, values in tensors:
        raw = struct.pack("<%d%s" % (len(values), {"F32": "f", "I64": "q", "I32": "i"}[dtype]), *values)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)
def wave(n):
    return [math.sin(0.7 * i) for i in range(n)]
pixels = ("pixel_values", "F32", [16, 3, 4, 4], wave(16 * 48))
grid = ("grid_thw", "I64", [2, 3], [1, 2, 4, 2, 2, 2])
write("in.safetensors", [pixels, grid])
write("both.safetensors", [pixels, ("grid_thw", "I32", grid[2], grid[3]), ("cotangent", "F32", [3, 12], wave(36))])
write("short.safetensors", [pixels, ("grid_thw", "I64", [1, 3], [1, 2, 4])])
write("odd.safetensors", [pixels, ("grid_thw", "I64", [1, 3], [1, 1, 16])])
write("blind.safetensors", [grid])
X2
python3 write.py
names() { # FILE: names and shapes, one a line
  python3 -c 'import json,struct,sys; b=open(sys.argv[1],"rb").read(); n=struct.unpack("<Q",b[:8])[0]
for k,v in sorted(json.loads(b[8:8+n]).items()): print(k, v.get("shape"))' "$1"
}
for backend in ref cpu; do
  code "features on $backend" 0 "$PARL" model features published --media both.safetensors -o out --backend $backend
  has "rows of features on $backend" 'features [3, 12]' "$(names out)"
  has "gradients on $backend" 'grad.vision_tower.patch_embed.proj.weight [16, 3, 4, 4]' "$(names out)"
  has "of the projector on $backend" 'grad.mm_projector.proj.2.bias [12]' "$(names out)"
done
code "features alone" 0 "$PARL" model features published --media in.safetensors --media in.safetensors -o twice
has "of two files" 'features [6, 12]' "$(names twice)"
case $(names twice) in
  *grad*) echo "not ok no cotangent, no gradients" ;;
  *) echo "ok no cotangent, no gradients" ;;
esac
picture=$ROOT/tests/fuzz/corpus/fuzz_png/rgb.png
code "features of a picture" 0 "$PARL" model features published --media "$picture" -o picture
has "of its patches" 'features [' "$(names picture)"
code "features of a JPEG" 0 "$PARL" model features published --media "$ROOT/tests/fuzz/corpus/fuzz_jpeg/rgb.jpg" -o jpeg

echo '{"tokens": [[1, 3, 3, 4], [2, 3, 5, 4]], "targets": [[-1, -1, 4, 2], [-1, 5, 4, -1]]}' >tokens.json
code "logits of images" 0 "$PARL" model logits published --tokens tokens.json --media in.safetensors -o out --grads
has "logits" 'logits [2, 4, ' "$(names out)"
has "the text's gradients" 'grad.language_model.model.embed_tokens.weight' "$(names out)"
has "the tower's gradients" 'grad.vision_tower.encoder.blocks.0.wqkv.weight [48, 16]' "$(names out)"
code "fewer placeholders than rows" 2 "$PARL" model logits published --tokens tokens.json \
  --media in.safetensors --media in.safetensors -o x
has "are counted" 'but the items have 6 rows' "$(cat "$SCRATCH/err")"
for file in short odd blind; do
  code "$file is refused" 1 "$PARL" model features published --media $file.safetensors -o x
  has "$file is named" "$file.safetensors: " "$(cat "$SCRATCH/err")"
done
code "a text model sees nothing" 2 "$PARL" model features "$ROOT/tests/golden/moe" --media in.safetensors -o x
has "and says so" 'the model sees nothing' "$(cat "$SCRATCH/err")"
code "features need media" 2 "$PARL" model features published -o x
