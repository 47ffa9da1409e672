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
hashes() { # FOLDER: arm, seed, status and hash of every run, in one order
  "$PARL" runs "$1" --json | python3 -c '
import json, sys
for r in sorted((json.loads(l) for l in sys.stdin), key=lambda r: (r["arm"], r["seed"])):
    print(r["arm"], r["seed"], r["status"], r["hash"], r["uid"][:8])'
}
