#!/bin/sh
# docs/extending.md does what it says: its blocks behind `<!-- insert FILE before: TEXT -->` are put into a copy of the
# source, in front of the first line that holds TEXT; what depends on those files is compiled, and the program trains.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$ROOT" || exit 1
if [ "${PARL_BUILD:-release}" != release ]; then
  echo "skip extending: the release build's objects only"
  exit
fi
objects=$(dirname "$PARL")/obj
copy=$SCRATCH/source
mkdir "$copy"
cp -R core kernels engine lua parl experiments cli envs "$copy"
python3 - "$copy" "$SCRATCH/changed" <<'PY' || { echo "not ok extending: a block has no place"; exit; }
import re, sys
folder, changed = sys.argv[1:]
page = open("docs/extending.md", encoding="utf-8").read()
blocks = re.findall(r"^<!-- insert (\S+) before: (.*?) -->\n```\w*\n(.*?)^```$", page, re.S | re.M)
for path, text, block in blocks:
    lines = open(folder + "/" + path, encoding="utf-8").read().split("\n")
    at = next((i for i, line in enumerate(lines) if text in line), None)
    if at is None:
        sys.exit("%s has no line with %s" % (path, text))
    lines[at:at] = block[:-1].split("\n")
    open(folder + "/" + path, "w", encoding="utf-8").write("\n".join(lines))
open(changed, "w").write("\n".join(sorted({b[0] for b in blocks})) + "\n")
sys.exit(not blocks)
PY

# What the compiler read when it made an object names what the object depends on.
(cd "$objects" && grep -rlF -f "$SCRATCH/changed" --include='*.d' core kernels engine lua parl experiments cli) |
  sed 's/\.d$/.c/' | sort | while IFS= read -r f; do
  if [ -f "$f" ]; then echo "$f"; fi # an object may outlive its source
done >"$SCRATCH/sources"
packages='lua5.4 sqlite3 gsl libcjson nettle libmicrohttpd libpng libjpeg'
# shellcheck disable=SC2046,SC2086
compile() { cc -std=gnu17 -O0 -w -pthread -I. $(pkg-config --cflags $packages) -c -o "${1%.c}.o" "$1"; }
# Two at a time: every other one of the list.
work() { awk "NR % 2 == $1" "$SCRATCH/sources" | while IFS= read -r f; do compile "$f" || exit 1; done; }
cd "$copy" || exit 1
work 0 >"$SCRATCH/log0" 2>&1 &
work 1 >"$SCRATCH/log1" 2>&1 || { cat "$SCRATCH/log1"; echo "not ok extending: does not compile"; exit; }
wait $! || { cat "$SCRATCH/log0"; echo "not ok extending: does not compile"; exit; }
others=$(for o in cli/*.c templates.c; do
  [ -f "${o%.c}.o" ] || echo "$objects/${o%.c}.o"
done)
# shellcheck disable=SC2046,SC2086
cc -pthread -o "$SCRATCH/parl" $(sed 's/\.c$/.o/' "$SCRATCH/sources") $others "$objects/../libparl.a" \
  $(pkg-config --libs $packages) -lm -lrt >"$SCRATCH/log" 2>&1 ||
  { cat "$SCRATCH/log"; echo "not ok extending: does not link"; exit; }

# A recipe of its own, in which the new term has a weight.
cd "$SCRATCH" || exit 1
cat >tidy.lua <<'LUA'
return {
  name = "tidy", env = {file = "source/envs/wide_search.lua"},
  model = {n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32},
  warm = {steps = 4, episodes = 16, probe = 16}, train = {updates = 2, tasks = 2, group = 4}, eval = {tasks = 10},
  terms = {
    tidy = {weight = {shape = "constant", start = 0.25}},
    alone = {lua = "lonely / 100", weight = {shape = "constant", start = 0.1}},
  },
}
LUA
./parl train tidy.lua --quiet >out 2>&1 || { cat out; echo "not ok extending: does not train"; exit; }
of_last_row() { # COLUMN of report_curves.csv
  awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i } END { print $at }' \
    runs/tidy/report_curves.csv
}
same "a new term has its weight" "0.25" "$(of_last_row lambda/lambda_tidy)"
same "a new term has its curves" "5" "$(head -1 runs/tidy/report_curves.csv | tr ',' '\n' | grep -c tidy)"
has "help recipe knows the new section" "lambda_tidy:" "$(./parl help recipe)"
has "and names it among the terms" "tidy (lambda_tidy)" "$(./parl help recipe)"

# A new fact: everywhere that the page says, and in a store of the program before it.
query() { # DATABASE SQL
  python3 -c 'import sqlite3, sys
print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone())' "$1" "$2"
}
same "a new fact has its column" 1 \
  "$(query runs/tidy/store.db 'SELECT count(*) > 0 AND min(lonely) >= 0 FROM episode')"
same "the column counts" 1 "$(query runs/tidy/store.db \
  'SELECT min(lonely <= launches) AND min(lonely > 0 OR max_width <> 1) FROM episode')"
same "a new fact has its metric" 2 \
  "$(query runs/tidy/store.db "SELECT count(value) FROM metric WHERE key = 'episode/lonely'")"
same "an expression sees it" 2 \
  "$(query runs/tidy/store.db "SELECT count(value) FROM metric WHERE key = 'reward/alone'")"
has "the report has it" ",lonely," "$(cat runs/tidy/report_seeds.csv)"
has "help reward names it" "turns that launched a single sub-agent" "$(./parl help reward)"
has "env play tells it" '"lonely":' "$(./parl env play source/envs/wide_search.lua --as oracle --json)"
grep -v -e 'tidy =' -e alone tidy.lua | sed 's/"tidy"/"before"/' >before.lua
"$PARL" train before.lua --quiet >out 2>&1 || { cat out; echo "not ok extending: the program before does not train"; }
has "a store of before says what it lacks" "unknown: episode.lonely, training_episode.lonely" \
  "$(./parl report runs/before 2>&1 | tr -s ' \n' ' ')"
./parl train before.lua >out 2>err
same "and goes on" 0 $?
has "with a word" "added, and unknown in its rows: episode.lonely" "$(cat err)"
same "its rows do not know" 0 "$(query runs/before/store.db 'SELECT count(lonely) FROM episode')"
