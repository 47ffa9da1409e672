#!/bin/sh
# The notices of what is inside the chart libraries: who wrote each package below FOLDER, then the text of each licence,
# once. Usage: notice.sh FOLDER
set -eu
cd "$1"
{
echo 'The charts are drawn by Vega, Vega-Lite and vega-embed and what these are made of:'
for license in */LICENSE*; do
  package=${license%%/*}
  version=$(sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$package/package.json" | head -n 1)
  kind=$(sed -n 's/^ *"license": *"\([^"]*\)".*/\1/p' "$package/package.json" | head -n 1)
  echo "$package $version ($kind): $(grep -i '^ *copyright [(0-9]' "$license" | sed 's/^ *//' | paste -sd ';' -)"
done
for package in vega d3-array fast-json-patch tslib; do # BSD-3-Clause, ISC, MIT, 0BSD
  sed -n 's/^ *"license": *"\([^"]*\)".*/\n\1:/p' "$package/package.json" | head -n 2
  grep -vi '^ *copyright [(0-9]' "$package"/LICENSE*
done
} | tr -d '\r'
