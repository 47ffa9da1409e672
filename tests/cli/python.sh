#!/bin/sh
# The Python package: installed as a user does, its tests, its notebook. Packages from PyPI lie in build/python, made
# once for all builds; without PyPI, or without python3-venv, there is nothing to be done.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
[ -z "${PARL_TEST_SHORT-}" ] || { echo "skip python: run without a sanitizer, which sees nothing of Python" && exit 0; }
cd "$SCRATCH" || exit 1
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
venv=$ROOT/build/python
export PYTHONPYCACHEPREFIX="$venv/pycache" # so that the checkout stays clean
wanted=$(python3 -V; cat "$ROOT/python/pyproject.toml")
get() { # PACKAGE...
  "$venv/bin/python" -m pip install -q --no-compile --retries 1 --timeout 20 "$@" >>pip.txt 2>&1
}
make_venv() {
  [ "$(cat "$venv/wanted" 2>/dev/null)" = "$wanted" ] && return
  rm -rf "$venv"
  python3 -m venv "$venv" >pip.txt 2>&1 || return 2
  get 'flit_core>=3.4,<5' || return 2
  get "$ROOT/python[test]" && "$venv/bin/python" -m pip uninstall -q -y parl-testbed >>pip.txt 2>&1 || return 1
  printf '%s\n' "$wanted" >"$venv/wanted"
}
mkdir -p "$ROOT/build"
exec 9>"$ROOT/build/python.lock"
flock 9
make_venv
made=$?
flock -u 9
case $made in
  0) ;;
  2) echo "skip python: no python3-venv or no PyPI here: $(tail -n 1 pip.txt)" && exit 0 ;;
  *) echo "not ok python: its packages: $(tail -n 3 pip.txt | tr '\n' ' ')" && exit 1 ;;
esac

# As `pip install ./python` does, but into a folder of this test.
get --no-deps --no-build-isolation --no-index --target "$SCRATCH/site" "$ROOT/python"
same "the package installs" 0 $?
for file in parl/__init__.py parl/py.typed; do
  [ -e "site/$file" ] && echo "ok it has $file" || echo "not ok it has $file: absent"
done
export PYTHONPATH="$SCRATCH/site"
"$venv/bin/python" -m pytest -rA -q --tb=short --basetemp "$SCRATCH/pytest" -c "$ROOT/python/pyproject.toml" \
  "$ROOT/python/tests" >log.txt 2>&1
code=$?
sed -n -e 's/^PASSED [^ ]*\(test_[a-z]*\.py::\)/ok \1/p' -e 's/^SKIPPED /skip /p' \
  -e 's/^\(FAILED\|ERROR\) [^ ]*\(test_[a-z]*\.py\)/not ok \2/p' log.txt
same "pytest: exit code" 0 $code
[ $code = 0 ] || cat log.txt
git -C "$ROOT" -c safe.directory='*' status --porcelain --ignored python 2>/dev/null | grep -v '^ M\|^??\|^A' >left.txt
same "nothing is left in the checkout" "" "$(cat left.txt)"
exit $code
