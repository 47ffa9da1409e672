#!/bin/sh
# What --json prints has the keys that docs/cli.md lists, and no others; every command that takes --json is there.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
golden=$ROOT/tests/golden/moe
cat >tiny.lua <<X2
return {
  name = "tiny", run = { n_seeds = 2 }, env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 3, episodes = 8, mix = "serial=1", probe = 8 },
  train = { updates = 2, tasks = 2, group = 2 }, eval = { tasks = 4, baselines = "serial,wide" },
}
X2
sed 's/^  return tokens$/  return 3/' "$ROOT/envs/chain.lua" >faulty.lua
"$PARL" bench --shapes decode_quickstart --seconds 0.01 --save kept.json >/dev/null

take() { # COMMAND ARGS...: standard output goes on in a file of the command's name
  command=$1 file=$(echo "$1" | tr " " _).json
  shift
  # shellcheck disable=SC2086
  "$PARL" $command --json "$@" >>"$file" 2>err
  n=$?
  [ $n -le 1 ] && [ -s "$file" ] || echo "not ok $command --json: code $n, $(cat err)"
}
take train tiny.lua --quiet
take eval tiny.lua --style serial --tasks 4
take eval tiny.lua --tasks 4
take eval tiny.lua --tasks 4 --set cost.slots=3
take counterfactual runs/tiny/checkpoints/trained-s1.safetensors --recipe tiny.lua --episodes 4
take report runs/tiny
take compare runs/tiny runs/tiny:serial
take runs runs/tiny
printf 'task,algorithm,seed,score\nu,a,1,1\nu,a,2,0\nu,b,1,0\n' >scores.csv
take stats scores.csv --resamples 10
echo '{"id":1,"r_perf":0.7,"stages":[{"main_steps":1,"subs":[{"steps":3,"finished":true}]}]}' >episodes.jsonl
take score episodes.jsonl
take schedule tiny.lua
take replay runs/tiny 1
take trace runs/tiny 1
echo "return { recipe = 'tiny', top = 1, parameters = { ['lambda1.start'] = { values = { 0, 1 } } } }" >points.lua
take sweep points.lua --quiet
take "sweep plan" tiny.lua --set run.dir=merged -o jobs
take "sweep run" jobs --quiet
take merge jobs
take "data hash" captions --batches 2
take "data show" captions --documents 1
take "data stats" captions --batches 2
take "env check" "$ROOT/envs/chain.lua" --tasks 4 --episodes 50
take "env check" faulty.lua --tasks 4 --episodes 50
take "env play" chain
take "env play" "$ROOT/envs/wide_search.lua" --as greedy_wide
take "env bench" chain --seconds 0.01
take "model describe" k25
take "model describe" k25 --layout ep=16,pp=16,dp=16
take "model export" "$golden" -o exported
take bench --shapes decode_quickstart --seconds 0.01 --compare kept.json
[ -n "${PARL_TEST_SHORT-}" ] || take "bench dep" --visual 20 --seconds 0.01 # minutes under a sanitizer
take doctor

cat >compare.py <<'X2'
import json, os, re, subprocess, sys
def walk(x, path, out):
    if isinstance(x, dict):
        for key, value in x.items():
            walk(value, path + "." + key if path else key, out)
    elif isinstance(x, list):
        for value in x:
            walk(value, path + "[]", out)
    if not isinstance(x, (dict, list)) or not x:
        out.add(path + "[]" if isinstance(x, list) else path)
def refuse(word):
    raise ValueError("%s is no JSON" % word)
documented, command = {}, None
for line in open(sys.argv[1], encoding="utf-8"):
    title = re.match(r"### `parl (.*) --json`", line)
    if line.startswith("#"):
        command = title.group(1) if title else None
        if command:
            documented[command] = []
    if command and line.startswith("| `"):
        documented[command] += re.findall(r"`([^`]+)`", line.split("|")[1])
def say(*args):
    return subprocess.run([sys.argv[2], *args], capture_output=True, text=True).stdout
commands = [" ".join(re.findall(r"(?<![A-Z|\[])\b[a-z]+(?= )", line[2:31] + " "))
            for line in say("help").splitlines() if re.match(r"  [a-z]", line)]
for c in commands:
    said = say(*c.split(), "--help")
    if ("  --json " in said) != (c in documented):
        print("not ok %s: docs/cli.md %s --json" % (c, "has" if c in documented else "lacks"))
for c, keys in documented.items():
    real, file = set(), c.replace(" ", "_") + ".json"
    if c == "bench dep" and not os.path.exists(file) and "PARL_TEST_SHORT" in os.environ:
        print("skip %s --json: run without a sanitizer" % c)
        continue
    for line in open(file, encoding="utf-8"):
        walk(json.loads(line, parse_constant=refuse), "", real)
    for key in keys:
        name, optional = key.rstrip("?"), key.endswith("?")
        family = name[:-2] if name.endswith(".*") else None
        found = [r for r in real if r == name or family and re.match(re.escape(family) + r"(\.|\[\]|$)", r)]
        real.difference_update(found)
        if not found and not optional:
            print("not ok %s --json: documented key %s is not printed" % (c, key))
    print("not ok %s --json: docs/cli.md lacks %s" % (c, ", ".join(sorted(real))) if real else "ok %s --json" % c)
X2
python3 compare.py "$ROOT/docs/cli.md" "$PARL"
