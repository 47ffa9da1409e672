#!/bin/sh
# make install puts a program that runs into DESTDIR, and make uninstall takes all of it away again.
set -u
cd "$ROOT" || exit 1
out=$(dirname "$PARL")
dest=$SCRATCH/dest
# -o all: the runner's caller has built it, and must not be rebuilt under the feet of other tests.
build() {
  make -o all OUT="$out" BUILD="${PARL_BUILD:-release}" DESTDIR="$dest" PREFIX=/usr "$@" >"$SCRATCH/log" 2>&1 && return
  cat "$SCRATCH/log"
  echo "not ok install: make $* failed"
  exit
}
build install
n_wrong=0
for file in bin/parl share/doc/parl/README.md share/doc/parl/LICENSE; do
  if [ ! -f "$dest/usr/$file" ]; then
    echo "not ok install: no $file"
    n_wrong=1
  fi
done
for env in envs/*.lua; do
  if [ -f "$env" ] && ! cmp -s "$env" "$dest/usr/share/parl/$env"; then
    echo "not ok install: no share/parl/$env"
    n_wrong=1
  fi
done
if ! (cd "$SCRATCH" && "$dest/usr/bin/parl" help >"$SCRATCH/help" && [ -s "$SCRATCH/help" ]); then
  echo "not ok install: the installed parl help fails"
  n_wrong=1
fi
[ "$n_wrong" -eq 0 ] && echo "ok install"
build uninstall
left=$(find "$dest" -type f)
if [ -z "$left" ]; then echo "ok uninstall"; else echo "not ok uninstall: left $left"; fi
