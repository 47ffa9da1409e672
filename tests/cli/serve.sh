#!/bin/sh
# parl serve: a folder as a page for this machine: what it answers, whom it refuses, a store that is written meanwhile.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
hostile='<img src=x onerror=alert(1)>"&\\'
cat >two.lua <<X2
return {
  name = "two", run = { threads = 1, n_seeds = 1, dir = "run" }, env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 5, episodes = 8, mix = "wide=1", probe = 8 },
  train = { updates = 3, tasks = 2, group = 2 }, eval = { tasks = 3, baselines = "wide" },
   arms = { { name = "first" } },
}
X2
code "train" 0 "$PARL" train two.lua --quiet
# A name full of markup and an update by hand: what the store holds is data.
cat >change.py <<'X2'
import sqlite3, sys
db = sqlite3.connect("run/store.db")
if sys.argv[1] == "metric":
    db.execute("insert or replace into metric values((select id from run where arm = 'first'), 'reward/perf', ?, 0.5)",
               (int(sys.argv[2]),))
elif sys.argv[1] == "key":
    db.execute("insert into metric values((select id from run where arm = 'first'), ?, 0, 0.5)", (sys.argv[2],))
db.commit()
X2
python3 change.py key "$hostile"

"$PARL" serve run --port 0 >url 2>said &
server=$!
trap 'kill $server 2>/dev/null' EXIT
await test -s url
url=$(cat url)
cat >ask.py <<'X2'
"""ask.py PATH [HEADER=VALUE...]: status, content type and body of an answer; the address as it stands."""
import http.client, os, sys
host, port = os.environ["url"].rstrip("/").split("//")[1].split(":")
c = http.client.HTTPConnection(host, int(port), timeout=20)
head = dict(h.split("=", 1) for h in sys.argv[2:])
c.putrequest(head.pop("METHOD", "GET"), sys.argv[1], skip_host="Host" in head)
for name, value in head.items():
    c.putheader(name, value)
c.endheaders()
a = c.getresponse()
body = a.read().decode()
print(a.status, a.getheader("content-type"), a.getheader("content-security-policy"), sep="\n")
print(body)
X2
ask() { url=$url python3 ask.py "$@" >answer; head -1 answer; }
body() { sed 1,3d answer; }
run=$(python3 -c "
import sqlite3
print(sqlite3.connect('run/store.db').execute(\"select id from run where arm = 'first'\").fetchone()[0])")

same "the page" 200 "$(ask /)"
has "says where its scripts come from" "script-src 'self'" "$(sed -n 3p answer)"
has "and allows nothing else" "default-src 'none'" "$(sed -n 3p answer)"
same "has no script inside" 0 "$(body | grep -c '<script>\|onclick\|style=')"
for path in /serve.js /serve.css /report.css; do same "$path" 200 "$(ask $path)"; done
same "runs" 200 "$(ask /api/runs)"
has "are data" application/json "$(sed -n 2p answer)"
same "each with its place" "first done 3 3" \
  "$(body | python3 -c 'import json, sys; print(*[(r["arm"], r["status"], r["update"], r["updates"])
    for r in json.load(sys.stdin)["runs"] if r["arm"] == "first"][0])')"
same "keys" 200 "$(ask "/api/keys?run=$run")"
has "each once" 1 "$(body | grep -o '"reward/perf"' | grep -c .)"
has "a name full of markup is text" '\u003cimg' "$(body)"
same "a curve" 200 "$(ask "/api/curve?run=$run&key=reward/perf")"
same "of every update" "[0, 1, 2]" "$(body | python3 -c 'import json, sys; print(json.load(sys.stdin)["updates"])')"
same "arms" 200 "$(ask "/api/arms?key=reward/perf")"
has "by name" '"arm":"first"' "$(body)"
same "episodes" 200 "$(ask "/api/episodes?run=$run")"
has "all of them" '"all":6' "$(body)"
same "a picture" 200 "$(ask "/api/episode?run=$run&row=1")"
has "as SVG" '<svg xmlns="http://www.w3.org/2000/svg" class="episode"' "$(body)"

# What is asked wrongly, and by whom.
cat >codes.py <<'X2'
"""codes.py HEADER VALUE...: for each value the status of /api/runs with it; without HEADER, of each path."""
import http.client, os, sys
host, port = os.environ["url"].rstrip("/").split("//")[1].split(":")
for value in sys.argv[2:]:
    c = http.client.HTTPConnection(host, int(port), timeout=20)
    c.putrequest(value if sys.argv[1] == "METHOD" else "GET", "/api/runs" if sys.argv[1] else value,
                 skip_host=sys.argv[1] == "Host")
    if sys.argv[1] == "Host":
        c.putheader("Host", value)
    c.endheaders()
    print(c.getresponse().status, end=" ")
X2
codes() { url=$url python3 codes.py "$@"; }
same "what is not there" "404 404 404 404 404 404 404 404 404 404 " "$(codes "" /nothing /run/store.db /../store.db \
  /..%2fstore.db //etc/passwd /api/keys /api/keys/ "/api/curve?run=$run" "/api/episode?run=$run&row=99" \
  "/api/episodes?run=99")"
same "what is no number" "400 400 400 400 " "$(codes "" "/api/keys?run=x" "/api/keys?run=-3" "/api/keys?run=1e3" \
  "/api/episode?run=$run&row=9999999999999999999999")"
same "a metric that is not there is empty" 200 "$(ask "/api/curve?run=$run&key=%27%20or%201=1%20--")"
has "and no SQL" '"updates":[]' "$(body)"
same "other names" "403 403 403 403 403 403 403 " "$(codes Host evil.example 127.0.0.1.evil.example \
  localhost.evil.example evil.example:80 127.0.0.1:80@evil localhost: "[::1]x")"
same "our names" "200 200 200 200 " "$(codes Host localhost localhost:1234 127.0.0.1 "[::1]:8080")"
same "what would write" "405 405 405 405 " "$(codes METHOD POST PUT DELETE OPTIONS)"
same "what reads" "200 200 " "$(codes METHOD GET HEAD)"
same "listens here only" "" "$(python3 - "$url" <<'X2'
import socket, sys
port = int(sys.argv[1].rstrip("/").rsplit(":", 1)[1])
for host in {socket.gethostbyname(socket.gethostname())} - {"127.0.0.1"}:
    if not host.startswith("127.") and socket.socket().connect_ex((host, port)) == 0:
        print(host)
X2
)"

# While the store is written: a stream says so, and answers are whole.
cat >watch.py <<'X2'
import http.client, os, subprocess, sys
host, port = os.environ["url"].rstrip("/").split("//")[1].split(":")
c = http.client.HTTPConnection(host, int(port), timeout=30)
c.request("GET", "/events")
a = c.getresponse()
seen = [a.fp.readline() for _ in range(2)]  # the state now
subprocess.run([sys.executable, "change.py", "metric", "3"], check=True)
while True:
    line = a.fp.readline()
    if line.startswith(b"data: ") and line != seen[0]:
        break
print(a.getheader("content-type"), "changed")
X2
same "a stream" "text/event-stream changed" "$(url=$url python3 watch.py)"
same "shows what came" 200 "$(ask "/api/curve?run=$run&key=reward/perf")"
same "at once" "[0, 1, 2, 3]" "$(body | python3 -c 'import json, sys; print(json.load(sys.stdin)["updates"])')"
rm -rf run/store.db run/store.db-wal run/store.db-shm
same "a store that went away" 500 "$(ask /api/runs)"
has "is named" "store.db" "$(body)"

kill -INT $server
wait $server
same "a signal ends it" 130 $?
code "no store" 1 "$PARL" serve nowhere --port 0
code "no such port" 2 "$PARL" serve run --port 65536
