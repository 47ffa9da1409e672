#!/bin/sh
# A file that cannot be read, or is not what it should be, is named with the reason, whatever named it.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
cp -r "$ROOT/tests/golden/moe" model
cp "$ROOT/envs/chain.lua" .
mkdir folder sealed
cp -r model sealed/model
: >unreadable.lua
: >unreadable
# The program itself, where another user may run it.
cp "$PARL" parl

# Command lines in which FILE is read as a file, and ones in which it is a folder of one.
cat >as_file <<X2
train FILE.lua
eval FILE.lua
env check FILE.lua
env play FILE.lua
env bench FILE.lua
help FILE.lua
env play chain.lua --as FILE
model logits model --tokens FILE -o out
model export FILE -o out
bench --compare FILE --shapes decode_quickstart
X2
cat >as_folder <<X2
report FOLDER
runs FOLDER
model logits FOLDER --tokens model/tokens.json -o out
X2
refused() { # NAME PART COMMAND...
  name=$1 part=$2
  shift 2
  "$@" >said 2>err
  n=$?
  case $n in 1 | 2) ;; *) echo "not ok $name: exit code $n" ;; esac
  [ ! -e out ] || echo "not ok $name: it wrote"
  has "$name" "$part" "$(cat err)"
}

while read -r line; do
  # shellcheck disable=SC2046
  refused "missing: $line" nowhere "$PARL" $(echo "$line" | sed 's/FILE/nowhere/')
  # shellcheck disable=SC2046
  refused "a folder: $line" "a folder" "$PARL" $(echo "$line" | sed 's/FILE.lua/folder/; s/FILE/folder/')
done <<X2
$(grep -v -e export -e '^help' as_file)
X2
while read -r line; do
  # shellcheck disable=SC2046
  refused "missing: $line" "No such file or directory" "$PARL" $(echo "$line" | sed 's/FOLDER/nowhere/')
  # shellcheck disable=SC2046
  refused "a file: $line" "Not a directory" "$PARL" $(echo "$line" | sed 's/FOLDER/parl/')
done <as_folder

# Another user's eyes: root may read everything.
chmod 755 . model
chmod 644 model/*
chmod 000 unreadable unreadable.lua sealed
if [ "$(id -u)" != 0 ]; then
  as() { "$@"; }
elif command -v setpriv >/dev/null; then
  as() { setpriv --reuid 65534 --clear-groups "$@"; }
else
  as() { false; }
fi
if ! as test -x ./parl || as test -r unreadable; then
  echo "skip permission: no user without rights is at hand"
else
  while read -r line; do
    # shellcheck disable=SC2046
    refused "no permission: $line" "Permission denied" as ./parl $(echo "$line" | sed 's/FILE/unreadable/')
  done <as_file
  while read -r line; do
    # shellcheck disable=SC2046
    refused "no permission: $line" "Permission denied" as ./parl $(echo "$line" | sed 's,FOLDER,sealed/model,')
  done <as_folder
  mkdir closed && chmod 555 closed
  refused "no permission to write" "closed/a: cannot make the folder: Permission denied" as ./parl env new closed/a/toy
  refused "no permission for -o" "closed/x: cannot create: Permission denied" \
    as ./parl model logits model --tokens model/tokens.json -o closed/x
fi
chmod 755 sealed

# What is not a checkpoint, a model or a config is called by its name.
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n' >lfs
printf '<!DOCTYPE html>\n<html><title>404</title></html>\n' >html
printf 'PK\003\004\000\000\010\010archive/data.pkl' >zip
printf '\200\002\212\nl\374\234F\371 j\250P\031.' >pickle
printf '\037\213\010\000\000\000\000\000\000\003' >gzip
: >empty
head -c 20000 model/model.safetensors >cut
for kind in "lfs:a Git LFS pointer" "html:an HTML page" "zip:a zip archive" "pickle:a Python pickle" \
  "gzip:a gzip file" "empty:an empty file" "cut:truncated"; do
  file=${kind%%:*} part=${kind#*:}
  refused "$file as a checkpoint" "$part" "$PARL" model export "$file" -o out
  refused "$file as a player" "$part" "$PARL" env play chain.lua --as "$file"
  cp "$file" model/model.safetensors
  refused "$file as a model" "$part" "$PARL" model logits model --tokens model/tokens.json -o out
  [ "$file" = cut ] && continue
  refused "$file as tokens" "$part" "$PARL" model logits model --tokens "$file" -o out
  refused "$file as a kept result" "$part" "$PARL" bench --compare "$file" --shapes decode_quickstart
  mkdir -p "config_$file" && cp "$file" "config_$file/config.json"
  refused "$file as a config" "$part" "$PARL" model describe "config_$file"
done
rm model/model.safetensors
: >model/pytorch_model.bin
refused "a model in a pickle" "has pytorch_model.bin but no model.safetensors" \
  "$PARL" model logits model --tokens model/tokens.json -o out
sed 's/"mscale":/"mscal":/; s/"rope_type"/"rope_tpye"/; s/"vocab_size"/"vocab_sze"/' model/config.json >misspelt.json
mkdir misspelt && mv misspelt.json misspelt/config.json
refused "a misspelt key" 'config.json: unknown key "vocab_sze"; did you mean "vocab_size"?' \
  "$PARL" model describe misspelt
