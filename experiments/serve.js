// The page of parl serve. Names come from the store and are only ever put as text.
"use strict";
const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const state = {run: null, row: null, runs: [], armsKey: "reward/perf", runKey: "reward/perf", keysOf: null};

async function ask(path, query) {
  const answer = await fetch(path + "?" + new URLSearchParams(query || {}), {cache: "no-store"});
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}
const askJson = async (path, query) => (await ask(path, query)).json();

function element(name, text, attributes) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
  return e;
}
function shape(name, attributes, text) {
  const e = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  return e;
}
const show = (x, digits) => x === null || x === undefined ? "-" : Number(x.toFixed(digits)).toString();

// --- charts: lines with bands, [{name, updates, mean, low, high}] ---

function ticks(low, high, n) {
  const rough = (high - low) / n || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find(f => f * power >= rough) || 10), out = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) out.push(i * step);
  return out;
}

function chart(where, title, curves) {
  const W = 900, H = 260, L = 60, R = 12, T = 10, B = 30;
  let low = Infinity, high = -Infinity, last = 1;
  for (const c of curves) {
    for (const x of c.low) if (x < low) low = x;
    for (const x of c.high) if (x > high) high = x;
    if (c.updates.length) last = Math.max(last, c.updates[c.updates.length - 1]);
  }
  if (!(low <= high)) { where.replaceChildren(element("p", "no value yet", {class: "note"})); return; }
  if (low === high) { low -= Math.abs(low) / 2 || 0.5; high += Math.abs(high) / 2 || 0.5; }
  const x = u => L + (W - L - R) * u / last, y = v => H - B - (H - T - B) * (v - low) / (high - low);
  const svg = shape("svg", {viewBox: `0 0 ${W} ${H}`, class: "wide", role: "img", "aria-label": title});
  for (const v of ticks(low, high, 5)) {
    const grid = shape("g", {class: "grid"}), label = shape("g", {class: "tick"});
    grid.append(shape("path", {d: `M${L} ${y(v)}H${W - R}`}));
    label.append(shape("text", {x: L - 6, y: y(v) + 4, "text-anchor": "end"}, String(Number(v.toPrecision(6)))));
    svg.append(grid, label);
  }
  for (const u of ticks(0, last, 8).filter(Number.isInteger)) {
    const label = shape("g", {class: "tick"});
    label.append(shape("text", {x: x(u), y: H - B + 16, "text-anchor": "middle"}, String(u)));
    svg.append(label);
  }
  curves.forEach((c, i) => {
    if (!c.updates.length) return;
    const g = shape("g", {class: "k" + i % 10}), at = (k, v) => `${x(c.updates[k]).toFixed(1)} ${y(v).toFixed(1)}`;
    const there = c.high.map((v, k) => at(k, v)), back = c.low.map((v, k) => at(k, v)).reverse();
    g.append(shape("title", {}, c.name));
    g.append(shape("path", {class: "band", d: "M" + there.concat(back).join("L") + "z"}));
    g.append(shape("path", {class: "line", d: "M" + c.mean.map((v, k) => at(k, v)).join("L")}));
    if (c.mean.length === 1) g.append(shape("circle", {class: "mark", cx: x(c.updates[0]), cy: y(c.mean[0]), r: 3}));
    svg.append(g);
  });
  where.replaceChildren(svg);
}

function legend(where, names) {
  where.replaceChildren(...names.map((name, i) => {
    const span = element("span", undefined, {class: "k" + i % 10});
    const svg = shape("svg", {width: 22, height: 10, "aria-hidden": "true"});
    svg.append(shape("path", {class: "line", d: "M1 5H21"}));
    span.append(svg, element("b", name));
    return span;
  }));
}

// --- parts ---

// A list that is open stays as it is while nothing is new.
function fillKeys(select, keys, chosen) {
  if (keys.join("\n") === select.dataset.keys) return;
  select.dataset.keys = keys.join("\n");
  select.replaceChildren(...keys.map(key => element("option", key, {value: key})));
  if (keys.includes(chosen)) select.value = chosen;
}

async function drawArms() {
  const {arms} = await askJson("/api/arms", {key: state.armsKey});
  const of = arms.map(a => ({...a, name: `${a.arm} (${a.runs})`}));
  $("arms-title").textContent = state.armsKey;
  chart($("arms-chart"), state.armsKey + " of every arm", of);
  legend($("arms-legend"), of.map(a => a.name));
}

// Rows in the place of others; who was at a button stays there.
function fill(body, rows) {
  const at = body.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
  body.replaceChildren(...rows);
  if (at !== undefined) [...body.querySelectorAll("button")].find(b => b.dataset.id === at)?.focus();
}

function listRuns() {
  const wanted = $("filter").value.toLowerCase();
  const shown = state.runs.filter(r => `${r.arm} s${r.seed} ${r.status}`.toLowerCase().includes(wanted));
  fill($("runs"), shown.map(r => {
    const row = element("tr"), name = element("th"), pick = element("button", `${r.arm} s${r.seed}`, {class: "pick"});
    pick.type = "button";
    pick.setAttribute("aria-pressed", r.id === state.run);
    pick.dataset.id = r.id;
    pick.addEventListener("click", () => choose(r.id));
    name.append(pick);
    row.append(name, element("td", r.status), element("td", r.trained ? `${r.update}/${r.updates}` : "-", {class: "n"}),
      element("td", show(r.r_perf, 3), {class: "n"}), element("td", r.holder));
    return row;
  }));
}

async function drawRuns() {
  const answer = await askJson("/api/runs");
  state.runs = answer.runs;
  const of = status => answer.runs.filter(r => r.status === status).length;
  document.title = "parl: " + answer.folder;
  $("title").textContent = answer.folder;
  $("counts").textContent = `${answer.runs.length} runs: ` +
    [...new Set(answer.runs.map(r => r.status))].map(s => `${of(s)} ${s}`).join(", ");
  listRuns();
}

async function drawRun() {
  if (state.run === null) return;
  const run = state.runs.find(r => r.id === state.run);
  const [{keys}, {episodes, all}] =
    await Promise.all([askJson("/api/keys", {run: state.run}), askJson("/api/episodes", {run: state.run})]);
  $("run").hidden = false;
  $("run-head").textContent = run ? `${run.arm}, seed ${run.seed}` : `run ${state.run}`;
  $("run-error").hidden = !(run && run.error);
  $("run-error").textContent = run ? run.error : "";
  fillKeys($("run-key"), keys, state.runKey);
  $("run-title").textContent = $("run-key").value;
  if (keys.length) {
    const curve = await askJson("/api/curve", {run: state.run, key: $("run-key").value});
    chart($("run-chart"), curve.key, [{...curve, name: curve.key}]);
  } else $("run-chart").replaceChildren(element("p", "no metric yet", {class: "note"}));
  $("episodes-note").textContent = all === 0 ? "None was evaluated yet." :
    all > episodes.length ? `The first ${episodes.length} of ${all}.` : `${all} evaluated.`;
  fill($("episodes"), episodes.map(e => {
    const row = element("tr"), name = element("th"), label = `${e.task >= 0 ? "task " + e.task : "row " + e.row}, ${e.decoding}`;
    const pick = e.picture ? element("button", label, {class: "pick"}) : element("span", label);
    if (e.picture) {
      pick.type = "button";
      pick.dataset.id = e.row;
      pick.setAttribute("aria-pressed", e.row === state.row);
      pick.addEventListener("click", () => drawEpisode(e.row, label).catch(complain));
    }
    name.append(pick);
    if (e.picture && e.row === state.row && $("picture").hidden) drawEpisode(e.row, label).catch(complain);
    row.append(name, element("td", e.family), element("td", show(e.r_perf, 3), {class: "n"}),
      element("td", show(e.critical_steps, 0), {class: "n"}), element("td", show(e.total_steps, 0), {class: "n"}),
      element("td", show(e.assigned, 0), {class: "n"}), element("td", e.end));
    return row;
  }));
}

// The address names what is shown: #run=3&row=7.
function nameIt() {
  history.replaceState(null, "", state.run === null ? "#" : "#run=" + state.run + (state.row === null ? "" : "&row=" + state.row));
}
function readName() {
  const named = new URLSearchParams(location.hash.slice(1));
  const number = key => /^[0-9]{1,15}$/.test(named.get(key) || "") ? Number(named.get(key)) : null;
  state.run = number("run");
  state.row = number("row");
}

async function drawEpisode(row, label) {
  state.row = row;
  nameIt();
  const text = await (await ask("/api/episode", {run: state.run, row})).text();
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  $("picture").hidden = false;
  $("picture-title").textContent = label;
  $("picture-svg").replaceChildren(document.importNode(svg, true));
  for (const pick of $("episodes").querySelectorAll("button"))
    pick.setAttribute("aria-pressed", pick.textContent === label);
  $("picture").scrollIntoView({block: "nearest"});
}

function choose(run) {
  state.run = run;
  state.row = null;
  nameIt();
  $("picture").hidden = true;
  listRuns();
  drawRun().then(() => $("run").scrollIntoView({block: "start"})).catch(complain);
}

// --- life ---

function say(text, isOff) {
  $("live").replaceChildren(element("span", undefined, {class: isOff ? "dot off" : "dot"}), text);
}
function complain(error) {
  say(String(error.message || error), true);
}

async function drawAll() {
  await drawRuns();
  if (state.keysOf === null) {
    const first = state.runs.find(r => r.trained && r.update > 0);
    if (first) {
      state.keysOf = first.id;
      fillKeys($("arms-key"), (await askJson("/api/keys", {run: first.id})).keys, state.armsKey);
      state.armsKey = $("arms-key").value;
    }
  }
  if (state.keysOf !== null) await drawArms();
  await drawRun();
}

// One drawing at a time, at most one a second; what changes meanwhile makes one more.
let isDrawing = false, isDue = false;
async function draw() {
  isDue = true;
  if (isDrawing) return;
  isDrawing = true;
  while (isDue) {
    isDue = false;
    try { await drawAll(); say("live"); } catch (error) { complain(error); }
    await new Promise(done => setTimeout(done, 1000));
  }
  isDrawing = false;
}

$("filter").addEventListener("input", listRuns);
$("arms-key").addEventListener("change", () => { state.armsKey = $("arms-key").value; drawArms().catch(complain); });
$("run-key").addEventListener("change", () => { state.runKey = $("run-key").value; drawRun().catch(complain); });
const events = new EventSource("/events");
events.onmessage = draw;
readName();
events.onerror = () => say("not connected: parl serve has ended, or too many pages are open", true);
draw();
