#!/bin/sh
# Progress on a terminal: one screen at 60, 80 and 200 columns, and a terminal as it was whatever ends the program.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
cat >long.lua <<X2
return {
  name = "long", run = { n_seeds = 2, threads = 2, dir = "run" }, env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 2, episodes = 8, mix = "serial=1", probe = 0 },
  train = { updates = 100000, tasks = 2, group = 2 }, eval = { tasks = 4, baselines = "" },
}
X2
code "no screen without a terminal" 2 "$PARL" train long.lua --live screen
has "says why" "--live screen: standard error is no terminal" "$(cat err)"
code "nor quietly" 2 "$PARL" train long.lua --live line --quiet
code "nor another" 2 "$PARL" train long.lua --live both
command -v tmux >/dev/null || { echo "skip a terminal: there is no tmux"; exit 0; }

server=parl-live-$$
mux() { tmux -L $server "$@"; }
trap 'tmux -L $server kill-server 2>/dev/null' EXIT
pane() { mux capture-pane -p >pane; cat pane; }
shows() { pane | grep -q -e "$1"; }
shows_not() { ! shows "$1"; }
soon() { # COMMAND...: until it succeeds, half a minute at most; what comes next fails then
  for _ in $(seq 300); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
}
# Columns are letters, and a screen is read as UTF-8.
longest() { python3 -c 'print(max(len(l.rstrip("\n")) for l in open("pane", encoding="utf-8")))'; }
mux -u -f /dev/null new-session -d -x 80 -y 30 "env -u CI -u NO_COLOR TERM=screen-256color PS1='ready> ' sh"
say() { mux send-keys "$1" Enter; }
say "echo begin; $PARL train long.lua; echo code \$?"
for size in 80 60 200; do
  mux resize-window -x $size -y 30
  for part in "^useful rate\|  useful rate" "trained s1" "trained s2"; do soon shows "$part"; done
  sleep 0.6
  pane >/dev/null
  [ "$(longest)" -le $size ] && echo "ok $size columns" || echo "not ok $size columns: a line has $(longest)"
  for part in "runs" "passed" "trained s1" "trained s2" "lambda1" "entropy" "critical steps" "▁\|▄"; do
    grep -q "$part" pane && echo "ok $size columns: $part" || echo "not ok $size columns: no $part in $(cat pane)"
  done
  same "$size columns: one bar" 1 "$(grep -c '──' pane)"
done
mux resize-window -x 50 -y 30
soon shows_not "lambda1"
has "a small terminal has a line" "0/4 runs" "$(pane)"
mux resize-window -x 80 -y 30
soon shows "lambda1"
mux send-keys C-c
soon shows "code 130"
same "a signal wipes it" 0 "$(pane | grep -c "──")"
has "and says what follows" "the same command continues" "$(cat pane)"

say "clear; $PARL train long.lua & wait \$!; echo code \$?"
soon shows "lambda1"
kill -9 "$(pgrep -n -f "$PARL train long.lua")"
soon shows "code 137"
say "echo typed"
soon shows "^typed"
has "a shell goes on after kill -9" "typed" "$(pane)"
same "its cursor is there" 1 "$(mux display -p '#{cursor_flag}')"
same "on the screen that was there" 0 "$(mux display -p '#{alternate_on}')"

say "clear; NO_COLOR=1 $PARL train long.lua --live line"
soon shows "0/4 runs"
sleep 0.6
same "a line where it is asked for" "1 0" "$(pane | grep -c 'runs  ') $(grep -c lambda1 pane)"
mux send-keys C-c
soon shows "the same command"
