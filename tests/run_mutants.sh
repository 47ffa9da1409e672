#!/bin/sh
# Plants each mistake of tests/mutants.txt on its own and requires that the named test notices.
#
# A mutant that changes nothing, does not compile or survives has failed. The checkout stays as it
# is: the changed copy of a file lives in a temporary folder, and its object is linked in front of
# the library, whose own is then left out. Of a kernel's header that is the object of the portable
# set, or of AMX emulated. Ends with `N passed, N failed, N skipped`.
# Usage: tests/run_mutants.sh [word: only the lines that contain it]
set -u
cd "$(dirname "$0")/.." || exit 1
out=${OUT:-build/release}
cc=${CC:-gcc}
packages='lua5.4 sqlite3 gsl libcjson nettle cmocka'
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

grep -v -e '^#' -e '^$' tests/mutants.txt | grep -F -e "${1:-}" >"$scratch/list"
[ -s "$scratch/list" ] || { echo 'no such mutant'; exit 1; }
${MAKE:-make} OUT="$out" "$out/libparl.a" >"$scratch/log" 2>&1 ||
  { cat "$scratch/log"; echo 'the library does not build'; exit 1; }
# shellcheck disable=SC2086
cflags="-std=gnu17 -O1 -w -ffp-contract=off -pthread -I. $(pkg-config --cflags $packages)"
# shellcheck disable=SC2086
libs="$(pkg-config --libs $packages) -lm -lrt"

for program in $(sed 's/.*|//' "$scratch/list" | sort -u); do
  # shellcheck disable=SC2086
  $cc $cflags -r -nostdlib -o "$scratch/$program.o" "tests/$program.c" tests/*_support.c \
    2>"$scratch/log" &&
    $cc -pthread -o "$scratch/test" "$scratch/$program.o" "$out/libparl.a" $libs \
      2>>"$scratch/log" && timeout 600 "$scratch/test" >"$scratch/log" 2>&1 ||
    { cat "$scratch/log"; echo "$program fails without any mutant"; exit 1; }
done

# try FOLDER FILE SED PROGRAM: prints "ok ..." or "not ok ..."
try() {
  name="$4: $2: $3"
  mkdir -p "$1/${2%/*}"
  sed -e "$3" "$2" >"$1/$2" || { echo "not ok $name: sed refuses it"; return; }
  cmp -s "$2" "$1/$2" && { echo "not ok $name: changes nothing"; return; }
  case "$2" in
    */amx_impl.h) source=kernels/cpu/ops_amx_emulated.c ;;
    *_impl.h) source=kernels/cpu/ops_portable.c ;;
    *) source=$1/$2 ;;
  esac
  # shellcheck disable=SC2086
  $cc -I"$1" $cflags -c -o "$1/mutant.o" "$source" 2>"$1/log" &&
    $cc -pthread -o "$1/test" "$scratch/$4.o" "$1/mutant.o" "$out/libparl.a" $libs \
      2>>"$1/log" || { cat "$1/log"; rm "$1/$2"; echo "not ok $name: does not compile"; return; }
  if timeout 60 "$1/test" >"$1/log" 2>&1; then
    echo "not ok $name: survives"
  else
    echo "ok $name"
  fi
  rm "$1/$2"
}

# work N: every jobs-th line of the list, beginning with the N-th
work() {
  mkdir "$scratch/$1"
  awk -v n="$1" -v jobs="$jobs" 'NR % jobs == n % jobs' "$scratch/list" >"$scratch/$1/list"
  while IFS= read -r line; do
    rest=${line#*|}
    try "$scratch/$1" "${line%%|*}" "${rest%|*}" "${rest##*|}"
  done <"$scratch/$1/list"
}

job=0
while [ "$job" -lt "$jobs" ]; do
  job=$((job + 1))
  work "$job" >"$scratch/result.$job" &
done
wait
cat "$scratch"/result.*
passed=$(cat "$scratch"/result.* | grep -c '^ok ')
failed=$(($(wc -l <"$scratch/list") - passed))
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
