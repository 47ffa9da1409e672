#!/bin/sh
# Plants each mistake of tests/mutants.txt on its own and requires that the named test notices.
#
# A mutant that changes nothing, does not compile or survives has failed. The checkout stays as it
# is: the changed copy of a file lives in a temporary folder, and its object is linked in front of
# the library, whose own is then left out. Ends with `N passed, N failed, N skipped`.
# Usage: tests/run_mutants.sh [word: only the lines that contain it]
set -u
cd "$(dirname "$0")/.." || exit 1
out=${OUT:-build/release}
cc=${CC:-gcc}
packages='lua5.4 sqlite3 gsl libcjson nettle cmocka'
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
passed=0
failed=0

grep -v -e '^#' -e '^$' tests/mutants.txt | grep -F -e "${1:-}" >"$scratch/list"
programs=$(sed 's/.*|//' "$scratch/list" | sort -u)
targets=
for program in $programs; do targets="$targets $out/tests/$program"; done
# shellcheck disable=SC2086
${MAKE:-make} OUT="$out" $targets >"$scratch/make.log" 2>&1 ||
  { cat "$scratch/make.log"; echo 'the tests do not build'; exit 1; }
# shellcheck disable=SC2086
cflags="-std=gnu17 -O1 -w -ffp-contract=off -pthread -I. $(pkg-config --cflags $packages)"
# shellcheck disable=SC2086
libs="$(pkg-config --libs $packages) -lm -lrt"

fail() {
  failed=$((failed + 1))
  echo "not ok $1: $2"
}

for program in $programs; do
  timeout 120 "$out/tests/$program" >"$scratch/log" 2>&1 ||
    { cat "$scratch/log"; fail "$program" 'fails without any mutant'; }
done

# try FILE SED PROGRAM
try() {
  name="$3: $1: $2"
  sed -e "$2" "$1" >"$scratch/mutant.c" || { fail "$name" 'sed refuses it'; return; }
  cmp -s "$1" "$scratch/mutant.c" && { fail "$name" 'changes nothing'; return; }
  # shellcheck disable=SC2086
  $cc $cflags -c -o "$scratch/mutant.o" "$scratch/mutant.c" 2>"$scratch/log" &&
    $cc -pthread -o "$scratch/test" "$out/obj/tests/$3.o" "$scratch/mutant.o" "$out/libparl.a" $libs \
      2>>"$scratch/log" || { cat "$scratch/log"; fail "$name" 'does not compile'; return; }
  if timeout 60 "$scratch/test" >"$scratch/log" 2>&1; then
    fail "$name" 'survives'
  else
    passed=$((passed + 1))
    echo "ok $name"
  fi
}

while IFS= read -r line; do
  rest=${line#*|}
  try "${line%%|*}" "${rest%|*}" "${rest##*|}"
done <"$scratch/list"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
