#!/bin/sh
# The checkers are checked: what is broken on purpose must be called broken.
set -u

# verdict NAME WANTED TEXT: ok if the extended regular expression occurs in the text.
verdict() {
  if printf '%s\n' "$3" | grep -Eq "$2"; then
    echo "ok $1"
  else
    printf '%s\n' "$3"
    echo "not ok $1: no line matches $2"
  fi
}

# --- the runner
programs=$SCRATCH/programs
mkdir -p "$programs"
# program NAME: a script from standard input that plays a cmocka program.
program() {
  { echo '#!/bin/sh'; cat; } >"$programs/$1"
  chmod +x "$programs/$1"
}
program good <<'X'
echo '[ RUN      ] a'; echo '[       OK ] a'; echo '[==========] 1 test(s) run.'; echo '[  PASSED  ] 1 test(s).'
X
program fails <<'X'
echo '[ RUN      ] a'; echo '[  FAILED  ] a'; exit 1
X
program liar <<'X'
echo '[ RUN      ] a'; echo '[  FAILED  ] a'; exit 0
X
program skips <<'X'
echo '[ RUN      ] a'; echo '[  SKIPPED ] a'
X
program crashes <<'X'
echo '[ RUN      ] a'; echo '[       OK ] a'; echo '[ RUN      ] b'; kill -SEGV $$
X
program leaks <<'X'
echo '[ RUN      ] a'; echo '[       OK ] a'; exit 23
X
program empty </dev/null
program hangs <<'X'
echo '[ RUN      ] a'; echo '[       OK ] a'; sleep 60
X
runner() {
  "$ROOT/tests/run" --logs "$SCRATCH/logs" --timeout "${limit-100}" "$@" 2>&1
  echo "code $?"
}
verdict runner-good '^1 passed, 0 failed, 0 skipped$' "$(runner "$programs/good")"
verdict runner-good-code '^code 0$' "$(runner "$programs/good")"
for bad in fails liar crashes leaks empty hangs; do
  [ $bad = hangs ] && limit=1
  verdict "runner-$bad" '^code 1$' "$(runner "$programs/good" "$programs/$bad")"
done
unset limit
verdict runner-crash-counted '^1 passed, 2 failed, 0 skipped$' "$(runner "$programs/crashes")"
verdict runner-skip '^0 passed, 0 failed, 1 skipped$' "$(runner "$programs/skips")"
verdict runner-nothing '^code 1$' "$(runner)"

# --- lint, on a checkout with one breach for each check
repo=$SCRATCH/repo
mkdir -p "$repo/tests" "$repo/docs" "$repo/core"
cp "$ROOT/tests/lint.py" "$ROOT/tests/size_exceptions.txt" "$ROOT/tests/cppcheck_suppressions.txt" "$repo/tests/"
: >"$repo/tests/size_exceptions.txt"
cp "$ROOT/.clang-format" "$ROOT/.luacheckrc" "$repo/"
cp "$ROOT/docs/generate.py" "$repo/docs/"
cp "$ROOT/core/status.h" "$repo/core/"
echo '# stale' >"$repo/docs/errors.md"
echo '[nowhere](nowhere.md)' >"$repo/docs/page.md"
printf 'x = 1\n' >"$repo/bad.lua"
printf 'if true; then\n' >"$repo/bad.sh"
printf 'int f(void);\n' >"$repo/core/guard.h"
echo 'core/bad.c|s/not there/at all/|test_none' >"$repo/tests/mutants.txt"
yes '' | head -n 601 >"$repo/core/long.c"
word=TO
cat >"$repo/core/bad.c" <<X
int counter;
int f(int *p) {
    int a[2];
  // a[0] = 1;
  /* ${word}DO: later */
  if (!p) return *p;
  return a[2] + 0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000;
}
X
git -C "$repo" init -q
gcc -c -w "$repo/core/bad.c" -o "$repo/bad.o" && ar rcs "$repo/lib.a" "$repo/bad.o"
said=$(PARL_LIBRARY=$repo/lib.a python3 "$repo/tests/lint.py" 2>&1)
for check in format lines files todo 'dead code' headers globals cppcheck luacheck syntax links 'generated docs' \
  mutants; do
  if printf '%s\n' "$said" | grep -q "^skip $check:"; then
    echo "skip lint-$check: its tool is not here"
  else
    verdict "lint-$check" "^not ok $check: " "$said"
  fi
done

# --- layers
verdict layers '^layers self-test: [0-9]+ planted breaches found' "$(python3 "$ROOT/tests/layers.py" --self-test)"
