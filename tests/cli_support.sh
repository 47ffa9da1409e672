# shellcheck shell=sh
# What tests/cli/*.sh share. A test sources it: . "$ROOT/tests/cli_support.sh"

same() { # NAME WANTED GOT
  if [ "$2" = "$3" ]; then echo "ok $1"; else echo "not ok $1: wanted '$2', got '$3'"; fi
}
has() { # NAME PART TEXT
  case "$3" in *"$2"*) echo "ok $1" ;; *) echo "not ok $1: no '$2' in '$3'" ;; esac
}
code() { # NAME WANTED COMMAND...: its exit code; what it printed is in $SCRATCH/out and $SCRATCH/err
  name=$1 wanted=$2
  shift 2
  "$@" >"$SCRATCH/out" 2>"$SCRATCH/err"
  same "$name" "$wanted" $?
}
await() { # COMMAND...: until it succeeds; ten minutes at most, what comes next fails then
  for _ in $(seq 6000); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
}
# Behind `&` a function is another shell, which would die alone: what is killed is a program, by its path.
killed_after() { # SECONDS PROGRAM ARGUMENT...
  [ -x "$2" ] || echo "not ok killed_after: $2 is no program"
  wait=$1
  shift
  "$@" >/dev/null 2>&1 &
  victim=$!
  sleep "$wait"
  kill -9 "$victim" 2>/dev/null
  wait "$victim" 2>/dev/null
}
killed_at() { # PATTERN PROGRAM ARGUMENT...: as soon as there is a file that is called so
  [ -x "$2" ] || echo "not ok killed_at: $2 is no program"
  pattern=$1
  shift
  "$@" >/dev/null 2>&1 &
  victim=$!
  for _ in $(seq 6000); do
    # shellcheck disable=SC2086
    ls $pattern >/dev/null 2>&1 && break
    sleep 0.01
  done
  kill -9 "$victim" 2>/dev/null
  wait "$victim" 2>/dev/null
}
hashes() { # FOLDER: arm, seed, status and hash of every run, in one order
  "$PARL" runs "$1" --json | python3 -c '
import json, sys
for r in sorted((json.loads(l) for l in sys.stdin), key=lambda r: (r["arm"], r["seed"])):
    print(r["arm"], r["seed"], r["status"], r["hash"], r["uid"][:8])'
}
ask() { # FOLDER SQL: the rows of its database, a line each
  python3 -c 'import sqlite3, sys
for row in sqlite3.connect(sys.argv[1] + "/store.db").execute(sys.argv[2]): print(*row)' "$1" "$2"
}
get() { # FILE EXPRESSION of d, what the JSON file has
  python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print($2)" "$1"
}
# Killed after so long each, then made by two at once: as whole.json and the folder whole are.
killed_and_shared() { # SWEEP RUNS "SECONDS..."
  rm -r "$1"
  for wait in $3; do
    "$PARL" sweep "$1" --quiet >/dev/null 2>&1 &
    victim=$!
    sleep "$wait"
    kill -9 "$victim" 2>/dev/null
    wait "$victim" 2>/dev/null
  done
  "$PARL" sweep "$1" --quiet --jobs 1 >/dev/null 2>&1 &
  code "killed and shared: exit code" 0 "$PARL" sweep "$1" --quiet --jobs 1
  wait
  cmp -s "$1/sweep.json" whole.json && echo "ok killed and shared: the same" ||
    echo "not ok killed and shared: another sweep.json"
  hashes "$2" | cmp -s - whole && echo "ok killed and shared: the same bits" ||
    echo "not ok killed and shared: other hashes"
}
