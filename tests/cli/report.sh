#!/bin/sh
# The command that the report prints makes its runs again: the same bits.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
dir="$SCRATCH/a report's folder"
mkdir -p "$dir"
cp "$PWD/tests/envs/count.lua" "$dir/count.lua"
cat >"$dir/tiny.lua" <<X2
return {
  name = "tiny", run = { n_seeds = 2, threads = 1 },
  env = { file = "count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 5, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 16 },
  train = { updates = 4, tasks = 2, group = 4 },
  eval = { tasks = 10, baselines = "serial" },
  arms = {
    { name = "annealed", lambda1 = { start = 0.3 } },
    { name = "bare", lambda1 = { start = 0.0 }, lambda2 = { start = 0.0 } },
  },
}
X2
hash_of() { sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/'; }
cd "$dir" || exit 1
folder="it's here; <b>"
first=$("$PARL" train tiny.lua --quiet --json --set "reward.perf_lua=r_perf * (1 - 0 * tokens)" \
  --set train.updates=3 --set "run.dir=$folder" | hash_of)
same "it trains" 64 "${#first}"
command=$(sed -n 's/^.*<pre>\(parl train .*\)$/\1/p' "$folder/report.html" |
  sed "s/&#39;/'/g; s/&lt;/</g; s/&gt;/>/g; s/&quot;/\"/g; s/&amp;/\&/g")
has "its overrides are in the command" "--set train.updates=3" "$command"
mv "$folder" before
parl() { "$PARL" "$@" --quiet --json; }
again=$(eval "$command" | hash_of)
same "the printed command makes the same bits" "$first" "$again"
"$PARL" runs before | sed 's/ .*//' | sort >runs.before
"$PARL" runs "$folder" | sed 's/ .*//' | sort >runs.again
same "and the same runs" "$(cat runs.before)" "$(cat runs.again)"

"$PARL" report before -o told --quiet >/dev/null
has "the pictures say what was called" "as stored to the last bit" "$(cat told/report.html)"
has "and are files" "_episode_" "$(ls told/report_figures)"

out=$("$PARL" report before "$folder" -o "both of them")
same "two folders of the same runs: each counts once" "$(grep -c ,sampled,,r_perf, before/report_seeds.csv)" \
  "$(grep -c ,sampled,,r_perf, "both of them/report_seeds.csv")"
has "the page says how to make it again" "-o &#39;both of them&#39;" "$(cat "both of them/report.html")"
[ -s "both of them/report_figures/02_policies_compared.svg" ] && echo "ok figures are files" ||
  echo "not ok figures are files"
code "several folders without -o" 2 "$PARL" report before "$folder"
has "says what it needs" "a report of 2 folders needs -o DIR" "$(cat "$SCRATCH/err")"
mkdir none fake
PATH=$PWD/none code "no program for --pdf" 2 "$PARL" report before --pdf
has "all are named in a line" "neither rsvg-convert (package librsvg2-bin) nor inkscape nor chromium" \
  "$(cat "$SCRATCH/err")"
printf '#!/bin/sh\n[ "$1 $2 $3" = "-f pdf -o" ] && [ -s "$5" ] && cp "$5" "$4"\n' >fake/rsvg-convert
chmod +x fake/rsvg-convert
PATH=$PWD/fake:$PATH code "one that is there makes PDFs" 0 "$PARL" report before --pdf
same "one of each figure" "$(find before/report_figures -name "*.svg" | wc -l)" \
  "$(find before/report_figures -name "*.pdf" | wc -l)"

out=$("$PARL" report before --reference annealed)
has "differences are taken from --reference" "Differences from annealed, paired by seed" "$out"
out=$("$PARL" report before)
has "by default from the arm whose weights stay 0" "Differences from bare, paired by seed" "$out"
code "a reference that is no policy" 2 "$PARL" report before --reference anealed
has "names the nearest" 'did you mean "annealed"?' "$(cat "$SCRATCH/err")"

# Two policies, in the same statistics.
out=$("$PARL" compare before:annealed before:bare --metric critical_steps)
has "compare: who" "critical_steps: a = annealed, b = bare" "$out"
want=$("$PARL" report before --reference bare --json | python3 -c "
import json, sys
r = json.load(sys.stdin)
p = [x for x in r['paired'] if x['a'] == 'annealed' and x['b'] == 'bare'][0]['critical_steps']
print(p['mean'], p['lo'], p['hi'], p['n'])")
same "compare says what the report says" "$want" "$("$PARL" compare before:annealed before:bare \
  --metric critical_steps --json | python3 -c "
import json, sys
p = json.load(sys.stdin)['parts'][0]['difference']
print(p['value'], p['lo'], p['hi'], p['n'])")"
for line in "before before:bare|2 trained policies; name one" "before:anealed before:bare|trained are: annealed, bare" \
  "before:bare before:bare|compared with itself" "before:serial before:bare|can only stand second"; do
  # shellcheck disable=SC2086
  code "compare ${line%|*}" 2 "$PARL" compare ${line%|*}
  has "says why" "${line#*|}" "$(cat "$SCRATCH/err")"
done
code "compare: no such score" 2 "$PARL" compare before:annealed before:bare --metric critical_step
has "names the nearest score" 'did you mean "critical_steps"?' "$(cat "$SCRATCH/err")"
