#!/bin/sh
# Plants each mistake of tests/mutants.txt on its own and requires that the named test notices.
#
# A mutant that changes nothing, does not compile or survives has failed. The checkout stays as it
# is: the changed copy of a file lives in a temporary folder, and its object is linked in front of
# the library, whose own is then left out. Of a kernel's header that is the object of the portable
# set, or of AMX emulated; of a script of the program (lua/) its source as the Makefile makes it;
# with one of envs/ the test runs in a folder of its own. A kernel of kernels/cuda runs on kernels/emu, where a race is
# an error, in the tests of ops: `cuda_ops:rope` is what test_ops.c has on rope; `cuda_blas:all` is test_blas.c. Ends
# with `N passed, N failed, N skipped`.
# PARL_MUTANT_PARTS=N plants every N-th line only, beginning with one that the commit decides, so that a few commits
# plant all; the others count as skipped. (That each line still changes something is `make lint`.)
# Usage: tests/run_mutants.sh [word: only the lines that contain it]
set -u
cd "$(dirname "$0")/.." || exit 1
out=${OUT:-build/release}
cc=${CC:-gcc}
packages='lua5.4 sqlite3 gsl libcjson nettle libmicrohttpd libpng libjpeg cmocka'
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

grep -v -e '^#' -e '^$' tests/mutants.txt | grep -F -e "${1:-}" >"$scratch/list"
[ -s "$scratch/list" ] || { echo 'no such mutant'; exit 1; }
parts=${PARL_MUTANT_PARTS:-1}
part=$((0x$(git -c safe.directory='*' rev-parse --short=6 HEAD 2>/dev/null || echo 0) % parts))
awk -v n="$parts" -v k="$part" 'NR % n == k' "$scratch/list" >"$scratch/planted"
n_left=$(($(wc -l <"$scratch/list") - $(wc -l <"$scratch/planted")))
mv "$scratch/planted" "$scratch/list"
[ "$parts" = 1 ] || echo "part $part of $parts, which the commit decides: $n_left mutants are not planted"
${MAKE:-make} OUT="$out" "$out/libparl.a" >"$scratch/log" 2>&1 ||
  { cat "$scratch/log"; echo 'the library does not build'; exit 1; }
emulated=''
if grep -q '|cuda_' "$scratch/list"; then
  ${MAKE:-make} OUT="$out" "$out/tests/cuda_ops" >"$scratch/log" 2>&1 ||
    { cat "$scratch/log"; echo 'the emulated kernels do not build'; exit 1; }
  emulated=$(ls "$out"/obj/kernels/emu/*.o "$out"/obj/emu/kernels/cuda/*.o)
fi
# shellcheck disable=SC2086
cflags="-std=gnu17 -O1 -w -ffp-contract=off -pthread -I. $(pkg-config --cflags $packages)"
# shellcheck disable=SC2086
libs="$(pkg-config --libs $packages) -lm -lrt"

# as_source SCRIPT: the C that `make` makes of a script of the program
as_source() {
  script=${1##*/}
  printf '#include "lua/env_internal.h"\nconst char parl_env_%s[] =\n' "${script%.lua}"
  sed 's/[\\"]/\\&/g; s/^/   "/; s/$/\\n"/' "$1"
  echo '   ;'
}

# emulated_for PROGRAM [SOURCE]: the emulated objects that it needs, but that of SOURCE
emulated_for() {
  case "$1" in
    cuda_*) echo "$emulated" | grep -v "/kernels/cuda/${2:-none}\.o\$" ;;
  esac
}

# run PROGRAM LOG SECONDS [FOLDER]: whether the tests pass, in that folder; they end at their first failure. (Output
# goes line by line, so that a test that nobody reads any more is told at once.)
run() {
  { cd "${4:-.}" && TEST_ONLY=$only timeout "$3" stdbuf -oL "$1" 2>&1; echo "exit code $?"; } | tee "$2" |
    sed -n -e '/\[  FAILED  \]/{p;q}' -e '/^exit code [1-9]/p' | grep -q . && return 1
  return 0
}

# base PROGRAM: the tests without any mutant pass, in a time that their mutants are held to
base() {
  start=$(date +%s) sources=tests/$1.c only='*'
  case "$1" in
    cuda_blas:*) sources=tests/cuda/test_blas.c ;;
    cuda_*:*)
      sources=${1%%:*} only="${1#*:} on *"
      sources="-DPARL_TEST_CUDA tests/test_${sources#cuda_}.c tests/cuda/level.c"
      ;;
  esac
  # shellcheck disable=SC2046,SC2086
  $cc $cflags -r -nostdlib -o "$scratch/$1.o" $sources tests/*_support.c 2>"$scratch/$1.log" &&
    $cc -pthread -o "$scratch/$1.test" "$scratch/$1.o" $(emulated_for "$1") "$out/libparl.a" $libs \
      2>>"$scratch/$1.log" &&
    run "$scratch/$1.test" "$scratch/$1.log" 600 || { cat "$scratch/$1.log"; echo "$1 fails without any mutant"; }
  echo $((20 + 4 * ($(date +%s) - start))) >"$scratch/$1.seconds"
  rm -f "$scratch/$1.test"
}

# try FOLDER FILE SED PROGRAM: prints "ok ..." or "not ok ..."
try() {
  name="$4: $2: $3"
  mkdir -p "$1/${2%/*}"
  folder=. only='*'
  compiler="$cc $cflags"
  case "$4" in *:*) only="${4#*:} on *" ;; esac
  sed -e "$3" "$2" >"$1/$2" || { echo "not ok $name: sed refuses it"; return; }
  cmp -s "$2" "$1/$2" && { echo "not ok $name: changes nothing"; return; }
  case "$2" in
    */amx_impl.h) source=kernels/cpu/ops_amx_emulated.c ;;
    *_impl.h) source=kernels/cpu/ops_portable.c ;;
    kernels/cuda/*)
      source=$1/$2 compiler="g++ -std=gnu++20 -O1 -w -ffp-contract=off -fno-exceptions -fno-rtti \
        -fno-threadsafe-statics -fsanitize=thread -pthread -Ikernels/emu -I. -x c++"
      case "$2" in
        */numbers.cuh | */column_sums.cuh) source=kernels/cuda/rmsnorm.cu ;;
        */scatter.cuh) source=kernels/cuda/embedding.cu ;;
        */products.cuh) source=kernels/cuda/linear.cu ;;
        *.cuh) source=${2%h} ;;
      esac
      ;;
    lua/*.lua) as_source "$1/$2" >"$1/script.c" && source=$1/script.c ;;
    envs/*.lua)
      folder=$1 source=$1/script.c
      : >"$source"
      for script in envs/*.lua; do
        [ "$script" = "$2" ] || cp "$script" "$1/envs/"
      done
      ;;
    *) source=$1/$2 ;;
  esac
  replaced=${source##*/}
  # shellcheck disable=SC2046,SC2086
  ${compiler%% *} -I"$1" ${compiler#* } -c -o "$1/mutant.o" "$source" 2>"$1/log" &&
    $cc -pthread -o "$1/test" "$scratch/$4.o" "$1/mutant.o" $(emulated_for "$4" "${replaced%.cu}") \
      "$out/libparl.a" $libs \
      2>>"$1/log" || { cat "$1/log"; rm "$1/$2"; echo "not ok $name: does not compile"; return; }
  if run "$1/test" "$1/log" "$(cat "$scratch/$4.seconds")" "$folder"; then
    echo "not ok $name: survives"
  else
    echo "ok $name"
  fi
  rm "$1/$2"
}

# plant LINE
plant() {
  rest=${1#*|}
  try "$scratch/$job" "${1%%|*}" "${rest%|*}" "${rest##*|}"
}

# each COMMAND LIST: the command with every jobs-th line of the list, beginning with the job-th
each() {
  mkdir -p "$scratch/$job"
  awk -v n="$job" -v jobs="$jobs" 'NR % jobs == n % jobs' "$2" >"$scratch/$job/list"
  while IFS= read -r line; do "$1" "$line"; done <"$scratch/$job/list"
}

# all COMMAND LIST: the same in jobs processes; result.N is what each said
all() {
  job=0
  while [ "$job" -lt "$jobs" ]; do
    job=$((job + 1))
    each "$1" "$2" >"$scratch/result.$job" &
  done
  wait
}

sed 's/.*|//' "$scratch/list" | sort -u >"$scratch/programs"
all base "$scratch/programs"
if cat "$scratch"/result.* | grep .; then exit 1; fi
all plant "$scratch/list"
cat "$scratch"/result.*
passed=$(cat "$scratch"/result.* | grep -c '^ok ')
failed=$(($(wc -l <"$scratch/list") - passed))
echo "$passed passed, $failed failed, $n_left skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
