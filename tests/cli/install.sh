#!/bin/sh
# make install puts a program that runs into DESTDIR, and make uninstall takes all of it away again.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
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
for file in bin/parl share/doc/parl/README.md share/doc/parl/LICENSE share/bash-completion/completions/parl \
  share/zsh/site-functions/_parl share/fish/vendor_completions.d/parl.fish; do
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

same "completion asks the installed program" 3 "$(cat "$dest"/usr/share/bash-completion/completions/parl \
  "$dest"/usr/share/zsh/site-functions/_parl "$dest"/usr/share/fish/vendor_completions.d/parl.fish |
  grep -c "'/usr/bin/parl'")"

# What is shipped is found by its name, from any folder, wherever the installation was moved to.
parl=$dest/usr/bin/parl shared=$dest/usr/share/parl empty=$SCRATCH/empty
mkdir "$empty" && cd "$empty" || exit 1
small="--quiet --set run.n_seeds=1 --set warm.steps=3 --set warm.probe=8 --set train.updates=1 --set train.tasks=2"
small="$small --set train.group=2 --set eval.tasks=4"
# shellcheck disable=SC2086
code "train quickstart" 0 "$parl" train quickstart $small
for part in store.db report.html; do
  [ -s "runs/quickstart/$part" ] && echo "ok train quickstart: $part" || echo "not ok train quickstart: no $part"
done
has "help lists recipes" "quickstart" "$("$parl" help | grep 'shipped recipes')"
has "help lists environments" "wide_search" "$("$parl" help | grep 'shipped environments')"
for env in "$shared"/envs/*.lua; do
  name=${env##*/}
  name=${name%.lua}
  has "help $name" "$name - " "$("$parl" help "$name" 2>&1)"
  has "env play $name" "played by" "$("$parl" env play "$name" 2>&1)"
done
for recipe in "$shared"/recipes/*.lua; do
  name=${recipe##*/}
  has "help ${name%.lua}, the recipe" "environment: $shared" "$("$parl" help "${name%.lua}" 2>&1)"
  has "model describe ${name%.lua}" "parameters" "$("$parl" model describe "${name%.lua}" 2>&1)"
done
has "env play chain.lua" "played by" "$("$parl" env play chain.lua 2>&1)"
for file in chain chain.lua envs/chain.lua; do
  echo "return { name = 'own', env = { file = '$file' } }" >own.lua
  has "env.file = $file" "environment: $shared/" "$("$parl" help own 2>&1)"
done
same "PARL_DATADIR counts more" "$ROOT/envs/chain.lua" \
  "$(PARL_DATADIR=$ROOT "$parl" help own | sed -n 's/environment: //p')"
mv "$dest/usr" "$dest/moved"
has "moved" "played by" "$("$dest/moved/bin/parl" env play chain 2>&1)"
mv "$dest/moved" "$dest/usr"

# A file of one's own comes first, a folder of the name does not.
mkdir chain
has "a folder is no environment" "links that must be followed" "$("$parl" help chain)"
sed 's/links that must be followed/links of my own, followed/' "$shared/envs/chain.lua" >chain.lua
has "one's own environment" "links of my own" "$("$parl" help chain)"
has "by its file" "links of my own" "$("$parl" help chain.lua)"
echo "return { name = 'mine', env = { file = 'chain' } }" >quickstart.lua
has "one's own recipe" "written to runs/mine" "$("$parl" help quickstart)"

# What is not there: every place that was looked at, and the nearest name.
missing() { # NAME PART ARGS...
  name=$1 part=$2
  shift 2
  code "$name: exit code" 1 "$parl" "$@"
  has "$name: text" "$part" "$(cat "$SCRATCH/err")"
}
missing "no recipe" "no recipe \"nowhere\": looked for nowhere, nowhere.lua, $shared/recipes/nowhere" train nowhere
missing "nearly a recipe" 'did you mean "schedules"?' train schedulse
missing "recipe of eval" "$shared/recipes/nowhere.lua" eval nowhere
missing "recipe of model describe" "$shared/recipes/nowhere.lua" model describe nowhere
missing "no environment" "no environment \"nowhere.lua\": looked for nowhere.lua, $shared/envs/nowhere.lua" \
  env play nowhere.lua
missing "nearly an environment" 'did you mean "wide_search"?' env check wide_serch
echo "return { name = 'own', env = { file = 'dagg' } }" >own.lua
missing "environment of a recipe" \
  "own.lua: env.file: no environment \"dagg\": looked for dagg, dagg.lua, ../dagg, ../dagg.lua, ../../dagg" train own
missing "and the nearest" 'did you mean "dag"?' train own.lua
missing "an absolute path" 'looked for /nowhere/x.lua' train /nowhere/x.lua
mkdir folder
missing "a folder" "looked for folder (a folder), folder.lua, " train folder
code "help on nearly an environment" 2 "$parl" help wide_serch
has "its name" 'did you mean "wide_search"?' "$(cat "$SCRATCH/err")"
cd "$ROOT" || exit 1
build uninstall
left=$(find "$dest" -type f)
if [ -z "$left" ]; then echo "ok uninstall"; else echo "not ok uninstall: left $left"; fi
