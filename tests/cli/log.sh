#!/bin/sh
# parl train --log: every update once in both formats, whatever is killed, gone on with, asked for late or taken away.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
cat >small.lua <<X
return {
  name = "small", run = { n_seeds = 1, threads = 2, seed = 11, checkpoint_every = 20 },
  env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 0 },
  train = { updates = 80, tasks = 3, group = 8 },
  eval = { tasks = 10, baselines = "serial" },
  arms = { { name = "shaped" }, { name = "plain", lambda1 = { start = 0.0 } } },
}
X
# What a folder's logs and its store hold, a number a line: "run update key value". Our own reader of event files: it
# checks each checksum, and takes a start for what it says.
cat >read.py <<'X'
import glob
import json
import math
import os
import sqlite3
import struct
import sys

what, folder = sys.argv[1:]
TABLE = [0] * 256
for byte in range(256):
    crc = byte
    for _ in range(8):
        crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    TABLE[byte] = crc


def masked(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            size, at = varint(data, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def events(path):
    data, at = open(path, "rb").read(), 0
    while at < len(data):
        size, = struct.unpack_from("<Q", data, at)
        body = data[at + 12:at + 12 + size]
        assert masked(data[at:at + 8]) == struct.unpack_from("<I", data, at + 8)[0], (path, at)
        assert masked(body) == struct.unpack_from("<I", data, at + 12 + size)[0], (path, at)
        at += 16 + size
        yield dict(fields(body))


rows = []
if what == "tensorboard":
    for place in glob.glob(folder + "/tensorboard/*"):
        mine, last = [], 0.0
        for path in sorted(glob.glob(place + "/*")):
            for number, event in enumerate(events(path)):
                assert number or event[3] == b"brain.Event:2"
                wall, = struct.unpack("<d", event[1])
                if 7 in event:
                    mine = []
                    continue
                assert wall >= last or number < 2, (path, wall, last)
                last = wall
                for _, value in fields(event.get(5, b"")):
                    of = dict(fields(value))
                    mine.append((os.path.basename(place), event.get(2, 0), of[1].decode(),
                                 struct.unpack("<f", of[2])[0]))
        rows += mine
elif what == "jsonl":
    for path in glob.glob(folder + "/jsonl/*.jsonl"):
        for line in open(path, encoding="utf-8"):
            x = json.loads(line)
            run = "%s-s%d" % (x["arm"], x["seed"])
            assert os.path.basename(path) == run + ".jsonl"
            rows += [(run, x["update"], key, value) for key, value in x["metrics"].items()]
else:
    db = sqlite3.connect(folder + "/store.db")
    rows = [("%s-s%d" % row[:2], *row[2:]) for row in db.execute(
        "SELECT arm, seed, at_update, key, value FROM metric JOIN run ON run.id = run_id WHERE value IS NOT NULL AND "
        "arm IN ('shaped', 'plain') AND key NOT GLOB 'warm/*' AND key NOT GLOB 'forecast/*' AND "
        "key NOT GLOB 'warning/*'")]
for run, update, key, value in sorted(rows):
    assert not math.isnan(value)
    print(run, update, key, "%.6g" % struct.unpack("<f", struct.pack("<f", value))[0])
X
# Kills a command when a run of a folder has reached an update; exit code 1 if it came too late.
cat >kill.py <<'X'
import sqlite3
import subprocess
import sys
import time

update, folder, *command = sys.argv[1:]
child = subprocess.Popen(command)
while child.poll() is None:
    try:
        db = sqlite3.connect("file:%s/store.db?mode=ro" % folder, uri=True)
        reached = db.execute("SELECT count(*) FROM metric WHERE key = 'reward/total' AND at_update = ?",
                             [int(update)]).fetchone()[0]
        db.close()
        if reached:
            break
    except sqlite3.Error:
        pass
    time.sleep(0.005)
child.kill()
child.wait()
db = sqlite3.connect(folder + "/store.db")
sys.exit(not db.execute("SELECT count(*) FROM run WHERE status = 'running'").fetchone()[0])
X
numbers() { # WHAT FOLDER FILE: and how many
  python3 read.py "$1" "$2" >"$3" 2>read.err || cat read.err
  wc -l <"$3" | tr -d ' '
}
train() { # FOLDER ARGUMENTS...
  folder=$1
  shift
  "$PARL" train small.lua --set run.dir="$folder" --quiet "$@" >"out.$folder" 2>"err.$folder"
}
hash() {
  sed -n 's/^hash \([0-9a-f]*\).*/\1/p' "out.$1"
}

train plain
[ -e plain/tensorboard ] || [ -e plain/jsonl ] && echo "not ok no log by default" || echo "ok no log by default"
for format in tensorboard jsonl; do
  train "$format" --log $format
  same "$format: exit code" 0 $?
  same "$format: the same result as without" "$(hash plain)" "$(hash "$format")"
  n=$(numbers $format "$format" log.txt)
  same "$format: as many numbers as in the store" "$(numbers store "$format" store.txt)" "$n"
  [ "$n" -gt 10000 ] && echo "ok $format: of two runs, 80 updates" || echo "not ok $format: of two runs, 80 updates: $n"
  cmp -s log.txt store.txt && echo "ok $format: the numbers of the store" ||
    echo "not ok $format: the numbers of the store: $(diff log.txt store.txt | head -n 4 | tr '\n' ' ')"
  has "$format: the end" "80 final/r_perf" "$(cat log.txt)"
  has "$format: what is shared by runs is left out" "none" "$(grep -c ' warm/' log.txt | sed 's/^0$/none/')"
done

# A killed run goes on: its log is that of one that was not, but for times.
untimed() {
  grep -v ' time/' "$1"
}
kill_at() { # UPDATE FORMAT
  python3 kill.py "$1" "killed-$2" "$PARL" train small.lua --set run.dir="killed-$2" --quiet --log "$2" >/dev/null 2>&1
}
tear() { # FORMAT: what a kill, or a full disk, may leave at the end of a file
  for file in killed-"$1"/tensorboard/*/events* killed-"$1"/jsonl/*; do
    [ -f "$file" ] && printf 'torn' >>"$file"
  done
  true
}
for format in tensorboard jsonl; do
  untimed store.txt >due.txt
  for _ in 1 2 3 4 5; do
    rm -rf "killed-$format"
    kill_at 25 $format && tear $format && kill_at 55 $format && tear $format && break
  done
  same "$format: killed twice in its midst, and torn" 0 $?
  train "killed-$format" --log $format
  same "$format: a killed run goes on" 0 $?
  numbers $format "killed-$format" log.txt >/dev/null
  untimed log.txt >got.txt
  cmp -s due.txt got.txt && echo "ok $format: no update is lost, none twice" ||
    echo "not ok $format: no update is lost, none twice: $(diff due.txt got.txt | head -n 4 | tr '\n' ' ')"
  numbers store "killed-$format" store2.txt >/dev/null
  cmp -s log.txt store2.txt && echo "ok $format: times too, as the store has them" ||
    echo "not ok $format: times too: $(diff log.txt store2.txt | head -n 4 | tr '\n' ' ')"
done
same "one event file a run" 2 "$(find killed-tensorboard/tensorboard -type f | wc -l | tr -d ' ')"

# Asked for when all is done.
train jsonl --log tensorboard
same "late: exit code" 0 $?
numbers tensorboard jsonl log.txt >/dev/null
numbers store jsonl store.txt >/dev/null
cmp -s log.txt store.txt && echo "ok late: the same numbers" || echo "not ok late: the same numbers"
before=$(cat jsonl/tensorboard/*/* | cksum)
train jsonl --log tensorboard
same "what is there stays" "$before" "$(cat jsonl/tensorboard/*/* | cksum)"

# Stopped halfway, its log taken away, gone on with the other one.
train half --set train.updates=20 --log jsonl
rm -rf half/jsonl
train half --set train.updates=20 --log jsonl
numbers store half store.txt >/dev/null
numbers jsonl half log.txt >/dev/null
cmp -s log.txt store.txt && echo "ok a log that was taken away comes back" || echo "not ok a log comes back"

# A log that cannot be written stops the run, and says why; nothing is lost.
mkdir -p full
: >full/jsonl
train full --log jsonl
same "no room for a log: exit code" 1 $?
has "no room for a log" "full/jsonl" "$(cat err.full)"
rm full/jsonl
train full --log jsonl
same "with room: the same result" "$(hash plain)" "$(hash full)"

# An arm that is removed takes its logs along.
"$PARL" runs jsonl --remove plain >/dev/null 2>&1
same "removed: its logs" "shaped-s11 shaped-s11.jsonl " \
  "$(ls jsonl/tensorboard jsonl/jsonl | grep s11 | sort | tr '\n' ' ')"
"$PARL" runs jsonl --retire shaped >/dev/null 2>&1
same "retired: its logs" "" "$(ls jsonl/tensorboard jsonl/jsonl | grep s11)"

# A sweep.
echo "return { recipe = 'small', arms = { 'shaped' }, dir = 'grid',
  parameters = { ['train.group'] = { values = { 2, 4 } } } }" >grid.lua
"$PARL" sweep grid.lua --quiet --log jsonl --set train.updates=3 >/dev/null 2>&1
same "a sweep's logs, each with its updates and its end" "4 4 4" \
  "$(wc -l grid/points/jsonl/*.jsonl grid/jsonl/*.jsonl 2>/dev/null | awk '!/total/ { printf "%s%s", s, $1; s = " " }')"
code "another word: exit code" 2 "$PARL" train small.lua --log csv
has "another word" "tensorboard" "$(cat err)"
