#!/bin/sh
# Runs the sh blocks of README.md and docs/*.md that follow a line `<!-- test -->`, each file's in one scratch folder
# with parl on PATH. A block after `<!-- output -->` is what the last one must print, numbers and blanks aside; one
# after `<!-- append FILE -->` is added to a file there.
set -u
mkdir -p "$SCRATCH/bin"
ln -s "$PARL" "$SCRATCH/bin/parl"
export PATH="$SCRATCH/bin:$PATH"

normalise() {
  sed -E 's/-?[0-9]+([.][0-9]+)?(e[-+]?[0-9]+)?/N/g; s/[[:space:]]+/ /g; s/ $//' "$1"
}

# check NAME FOLDER SCRIPT EXPECTED: one block.
check() {
  (cd "$2" && sh -eu "$3") >"$3.out" 2>"$3.err"
  code=$?
  if [ "$code" -ne 0 ]; then
    cat "$3" "$3.out" "$3.err"
    echo "not ok $1: exit code $code"
  elif [ -f "$4" ]; then
    normalise "$4" >"$4.n"
    normalise "$3.out" >"$3.n"
    if diff "$4.n" "$3.n"; then echo "ok $1"; else echo "not ok $1: prints something else"; fi
  else
    echo "ok $1"
  fi
}

for page in "$ROOT"/README.md "$ROOT"/docs/*.md; do
  name=$(basename "$page" .md)
  if [ -n "${PARL_TEST_SHORT-}" ] && [ "$name" != README ]; then
    echo "skip $name: run without a sanitizer; what its commands do has tests of its own"
    continue
  fi
  blocks=$SCRATCH/blocks-$name
  folder=$SCRATCH/$name
  mkdir -p "$blocks" "$folder"
  awk -v to="$blocks" '
    /^<!-- test -->$/ { want = "sh"; next }
    /^<!-- output -->$/ { want = "out"; next }
    /^<!-- append .* -->$/ { want = "sh"; target = $3; next }
    /^```/ {
      if (inside) {
        if (target) print "PARL_END" > file
        inside = 0; target = ""; close(file)
      }
      else if (want) {
        if (want == "sh") n++
        file = sprintf("%s/%03d.%s", to, n, want); inside = 1; want = ""; printf "" > file
        if (target) printf "cat >>%s <<%cPARL_END%c\n", target, 39, 39 > file
      }
      next
    }
    inside { print > file; next }
    NF { want = "" }' "$page"
  for script in "$blocks"/*.sh; do
    [ -f "$script" ] || continue
    if [ ! -d "$folder/envs" ]; then
      mkdir -p "$folder/experiments"
      cp -R "$ROOT/envs" "$folder/envs"
      cp -R "$ROOT/experiments/recipes" "$folder/experiments/recipes"
    fi
    check "$name-$(basename "$script" .sh)" "$folder" "$script" "${script%.sh}.out"
  done
done
