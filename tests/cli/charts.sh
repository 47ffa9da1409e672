#!/bin/sh
# The report in a browser: every chart is drawn, nothing is said on the console, fetched or run that is not the
# program's; legends, tips and zoom work; no width scrolls sideways; light, dark and print.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
  echo "skip charts: no chromium in PATH"
  exit
}
cd "$SCRATCH" || exit 1
cp "$ROOT/tests/envs/count.lua" .
cat >tiny.lua <<'X2'
return {
  name = "tiny <b>", run = { n_seeds = 2, threads = 1, dir = "out" },
  env = { file = "count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 5, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 16 },
  train = { updates = 6, tasks = 2, group = 4 },
  eval = { tasks = 10, baselines = "serial" },
  arms = {
    { name = "<img src=x onerror=alert(1)>", lambda1 = { start = 0.3 } },
    { name = "'\"&lt;<script>alert(2)", lambda1 = { start = 0.3 }, lambda2 = { start = 0.2 } },
    { name = "one", lambda1 = { start = 0.0 }, lambda2 = { start = 0.2 } },
    { name = "bare", lambda1 = { start = 0.0 }, lambda2 = { start = 0.0 } },
  },
}
X2
"$PARL" train tiny.lua --quiet >train.log 2>&1 || { echo "not ok it trains: $(tail -n 3 train.log)"; exit; }
"$PARL" report out --plain >/dev/null && cp out/report.html plain.html
"$PARL" report out >/dev/null && cp out/report.html charts.html

# run NAME FLAG... URL: chromium without anything it does of its own accord
run() {
  "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --user-data-dir="$SCRATCH/profile" --enable-logging=stderr \
    --window-size=1250,1000 --virtual-time-budget=60000 "$@" 2>>console
}
pages() { # FILE.pdf: how many lines and curves its pages draw
  python3 - "$1" <<'PY'
import re, sys, zlib
drawn = 0
for stream in re.findall(rb"stream\r?\n(.*?)endstream", open(sys.argv[1], "rb").read(), re.S):
    try:
        drawing = zlib.decompress(stream)
    except zlib.error:
        continue
    if b" d1" not in drawing: # a letter: which ones there are depends on the words
        drawn += len(re.findall(rb"(?m) [lc]$", drawing))
print(drawn)
PY
}
run --print-to-pdf=plain.pdf "file://$SCRATCH/plain.html" >/dev/null
run --print-to-pdf=charts.pdf "file://$SCRATCH/charts.html" >/dev/null
drawn=$(pages plain.pdf)
[ "${drawn:-0}" -gt 1000 ] && echo "ok print has the figures" || echo "not ok print has the figures: $drawn lines"
again=$(pages charts.pdf) # frames of tables differ where pages break elsewhere
[ $((100 * (again - drawn))) -lt "$drawn" ] && [ $((100 * (drawn - again))) -lt "$drawn" ] &&
  echo "ok and none is lost or drawn twice where scripts run" ||
  echo "not ok and none is lost or drawn twice where scripts run: $drawn lines, $again"

if ! grep -q 'class="spec"' charts.html; then
  has "a page without charts says so" "built without Vega-Lite" "$(cat charts.html)"
  echo "skip charts: built without Vega-Lite"
  exit
fi

# The page with a script of the test's own behind it, whose hash joins the policy; in frames, which say what they saw.
python3 - <<'PY'
import base64, hashlib
check = """
addEventListener('securitypolicyviolation', e => errors.push('policy: ' + e.violatedDirective));
addEventListener('error', e => errors.push(e.message));
const errors = [], wait = ms => new Promise(go => setTimeout(go, ms)), alerts = [];
alert = x => alerts.push(x);
(async () => {
  for (let i = 0; i < 600 && !document.documentElement.dataset.charts; i++) await wait(50);
  const specs = document.querySelectorAll('script.spec'), drawn = document.querySelectorAll('.chart svg');
  const figure = [...document.querySelectorAll('figure')].find(f => f.querySelector('.legend button') &&
    f.querySelector('.mark-line path'));
  const lines = () => figure.querySelectorAll('.chart .mark-line path').length, before = lines();
  const button = figure.querySelector('.legend button');
  button.focus(); button.click(); await wait(300);
  const off = lines(), pressed = button.ariaPressed;
  button.click(); await wait(300);
  const mark = [...figure.querySelectorAll('.chart .mark-symbol path')].pop(), box = mark.getBoundingClientRect();
  const point = {bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
  for (const type of ['pointerover', 'pointermove', 'mouseover', 'mousemove'])
    mark.dispatchEvent(new (type[0] === 'p' ? PointerEvent : MouseEvent)(type, point));
  await wait(300);
  const tip = document.querySelector('#vg-tooltip-element')?.textContent ?? '';
  const ticks = () => [...figure.querySelectorAll('.chart .role-axis-label text')].map(t => t.textContent).sort()
    .join();
  const wide = ticks();
  figure.querySelector('.chart').dispatchEvent(new KeyboardEvent('keydown', {key: '+', bubbles: true}));
  await wait(300);
  const close = ticks();
  figure.querySelectorAll('.tools button')[2].click(); await wait(300);
  const labels = document.querySelectorAll('.chart [role=graphics-document][aria-label]').length;
  const cut = [...drawn].filter(s => s.getAttribute('width') > s.closest('figure').clientWidth - 16).length;
  const said = {
    width: innerWidth, specs: specs.length, drawn: drawn.length, labels, cut, before, off, back: lines(), pressed, tip,
    zooms: wide !== close && wide === ticks(), alerts: alerts.length, images: document.images.length, errors,
    fetched: performance.getEntriesByType('resource').length,
    scroll: document.documentElement.scrollWidth - innerWidth,
    ink: getComputedStyle(document.querySelector('.chart text')).fill,
  };
  parent.postMessage(said, '*');
})();
"""
page = open("charts.html", encoding="utf-8").read()
digest = base64.b64encode(hashlib.sha256(check.encode()).digest()).decode()
page = page.replace("; script-src", "; script-src 'sha256-%s'" % digest, 1)
body, end, rest = page.rpartition("</body>")
open("checked.html", "w", encoding="utf-8").write(body + "<script>%s</script>" % check + end + rest)
for name, widths in ("light", (400, 1600)), ("dark", (1000,)):
    frames = "".join('<iframe src="checked.html" width="%d" height="900"></iframe>' % w for w in widths)
    open(name + "_frames.html", "w").write("""<!doctype html><style>iframe {border: 0}</style>%s<pre></pre><script>
addEventListener('message', e => document.querySelector('pre').append('SAID ' + JSON.stringify(e.data) + '\\n'));
</script>""" % frames)
PY
run --allow-file-access-from-files --dump-dom "file://$SCRATCH/light_frames.html" >light.html
run --allow-file-access-from-files --dump-dom --blink-settings=preferredColorScheme=0 \
  "file://$SCRATCH/dark_frames.html" >dark.html
python3 - <<'PY'
import html, json, re
def read(name):
    text = open(name, encoding="utf-8").read()
    return [json.loads(html.unescape(x)) for x in re.findall("SAID ({.*)", text)]
light, dark = read("light.html"), read("dark.html")
def check(name, right, got):
    print("ok " + name if right else "not ok %s: %s" % (name, got))
check("all widths answer", sorted(x["width"] for x in light + dark) == [400, 1000, 1600], light)
for x in light + dark:
    of = " at %d, %s" % (x["width"], x["ink"])
    check("every figure is a chart" + of, x["drawn"] == x["specs"] == x["labels"] >= 10, x)
    check("no errors, nothing fetched, no name does a thing" + of,
          not x["errors"] and not x["fetched"] and not x["alerts"] and not x["images"], x)
    check("no sideways scrolling, no chart is cut" + of, x["scroll"] <= 0 and not x["cut"], x)
    check("a legend hides and shows" + of, x["off"] < x["before"] == x["back"] and x["pressed"] == "false", x)
    check("a mark tells its numbers" + of, all(t in x["tip"] for t in ("policy", "95 % interval", "n")), x["tip"])
    check("keys look closer, reset shows all" + of, x["zooms"], x)
check("other colours in the dark", dark and light and {x["ink"] for x in dark}.isdisjoint({x["ink"] for x in light}),
      [x["ink"] for x in light + dark])
PY
same "nothing on the console" "" "$(grep CONSOLE console | head -n 3)"
