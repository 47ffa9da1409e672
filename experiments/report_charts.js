// The page's charts: each figure's specification, drawn by Vega-Lite in place of its plain drawing, which stays for
// print and for whatever cannot be drawn. Nothing is fetched and nothing is evaluated as text (ast).
(() => {
  'use strict';
  const hidden = new Set(); // names that a legend switched off, in every figure that has them
  const charts = [];
  const dark = matchMedia('(prefers-color-scheme: dark)');

  // Specifications have the light page's colours: value there -> value now.
  const getColours = () => {
    const light = document.styleSheets[0].cssRules[0].style, now = getComputedStyle(document.documentElement);
    const colours = new Map();
    for (const name of light)
      if (name.startsWith('--')) colours.set(light.getPropertyValue(name).trim(), now.getPropertyValue(name).trim());
    return colours;
  };
  // The page has its own legends, of buttons.
  const paint = (node, colours) => {
    if (typeof node === 'string') return colours.get(node) ?? node;
    if (Array.isArray(node)) return node.map(x => paint(x, colours));
    if (node === null || typeof node !== 'object') return node;
    const kept = key => key === 'data' || key === 'params';
    return Object.fromEntries(Object.entries(node).map(
      ([key, x]) => [key, key === 'legend' ? null : kept(key) ? x : paint(x, colours)]));
  };
  const getConfig = () => {
    const style = getComputedStyle(document.documentElement), get = name => style.getPropertyValue(name).trim();
    const soft = get('--soft'), rule = get('--rule'), ink = get('--ink');
    return {
      background: 'transparent', font: getComputedStyle(document.body).fontFamily, legend: {disable: true},
      view: {stroke: null}, text: {fontSize: 11.5, color: ink},
      title: {color: ink, fontSize: 12, anchor: 'start', frame: 'group'},
      axis: {
        labelColor: soft, titleColor: soft, gridColor: rule, domainColor: rule, tickColor: rule, labelFontSize: 11,
        titleFontSize: 11, titleFontWeight: 'normal', labelOverlap: true, labelFlush: false,
      },
      axisYOrdinal: {labelColor: ink, labelFontSize: 12}, range: {heatmap: {scheme: 'viridis'}},
    };
  };

  // Panels side by side as many as find room, the policies named at the left of each row.
  const fit = (spec, width) => {
    if (!spec.concat) return {...spec, width};
    const names = Math.min(150, Math.round(0.34 * width)), gap = 24, n = spec.concat.length;
    const columns = Math.max(1, Math.min(n, Math.floor((width - names) / 110)));
    const size = Math.max(70, Math.floor((width - names - (columns - 1) * gap) / columns) - 12);
    for (const [i, panel] of spec.concat.entries()) {
      panel.width = size;
      Object.assign(panel.encoding.y.axis, {labels: i % columns === 0, labelLimit: names - 12});
    }
    return {...spec, columns, spacing: {column: gap, row: 20}};
  };

  const getHidden = chart => chart.names.flatMap((name, i) => hidden.has(name) ? [i] : []);

  async function draw(chart) {
    const colours = getColours();
    const style = getComputedStyle(chart.figure);
    const width = chart.figure.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const spec = fit(paint(structuredClone(chart.spec), colours), width);
    spec.params.find(p => p.name === 'hidden').value = getHidden(chart);
    const box = document.createElement('div');
    try {
      const made = await vegaEmbed(box, spec, {
        ast: true, actions: false, renderer: 'svg', mode: 'vega-lite', config: getConfig(),
        tooltip: {theme: dark.matches ? 'dark' : 'light'},
      });
      chart.made?.finalize();
      chart.made = made;
      chart.place.replaceChildren(box);
      chart.figure.classList.add('drawn');
    } catch (error) {
      chart.figure.classList.remove('drawn'); // the plain drawing shows
      chart.figure.dataset.error = error.message;
    }
  }

  // --- a closer look: by buttons and keys; dragging, a wheel with Ctrl and a double click are Vega-Lite's own ---

  const move = (chart, change) => {
    const view = chart.made?.view;
    if (!view) return;
    for (const {field, channel} of view.signal('zoom_tuple_fields')) {
      const [low, high] = view.scale(channel).domain();
      view.signal('zoom_' + field, change && change(channel, low, high));
    }
    view.runAsync();
  };
  const zoom = factor => (axis, low, high) => {
    const middle = (low + high) / 2, half = (high - low) / 2 * factor;
    return [middle - half, middle + half];
  };
  const pan = (dx, dy) => (axis, low, high) => {
    const by = (axis === 'x' ? dx : dy) * (high - low);
    return [low + by, high + by];
  };
  const changes = {
    '+': zoom(0.7), '-': zoom(1 / 0.7), '0': null, ArrowLeft: pan(-0.15, 0), ArrowRight: pan(0.15, 0),
    ArrowUp: pan(0, 0.15), ArrowDown: pan(0, -0.15),
  };
  const addTools = chart => {
    const tools = document.createElement('span');
    tools.className = 'tools';
    for (const [key, label] of [['-', 'farther'], ['+', 'closer'], ['0', 'all of it']]) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = {'-': '\u2212', '+': '+', '0': 'reset'}[key];
      button.title = button.ariaLabel = label;
      button.addEventListener('click', () => move(chart, changes[key]));
      tools.append(button);
    }
    chart.figure.querySelector('figcaption').append(tools);
    chart.place.tabIndex = 0;
    chart.place.role = 'group';
    chart.place.ariaLabel = 'Chart: + and \u2212 look closer and farther, arrows move, 0 shows all of it';
    chart.place.addEventListener('keydown', event => {
      const key = event.key === '=' ? '+' : event.key;
      if (!(key in changes) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      move(chart, changes[key]);
    });
  };

  // --- legends: a button a name ---

  const toggle = name => {
    if (!hidden.delete(name)) hidden.add(name);
    for (const chart of charts) {
      for (const [i, button] of chart.buttons.entries()) button.ariaPressed = !hidden.has(chart.names[i]);
      chart.made?.view.signal('hidden', getHidden(chart)).runAsync();
    }
  };
  const addLegend = chart => {
    const legend = chart.figure.querySelector('.legend');
    if (!legend) return;
    legend.closest('[hidden]')?.removeAttribute('hidden');
    for (const [i, entry] of [...legend.children].entries()) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = entry.className;
      button.title = 'show or hide in every figure';
      button.ariaPressed = true;
      button.append(...entry.childNodes);
      button.addEventListener('click', () => toggle(chart.names[i]));
      entry.replaceWith(button);
      chart.buttons.push(button);
    }
  };

  // One after the other, from the top; whoever reads already is not kept waiting. A redraw begins anew.
  let round = 0;
  const drawAll = async () => {
    const mine = ++round;
    for (const chart of charts) {
      await new Promise(go => setTimeout(go));
      if (mine !== round) return;
      await draw(chart);
    }
    document.documentElement.dataset.charts = charts.filter(c => c.made).length;
  };

  // The libraries stand packed in the page. Where they cannot be had, the plain drawings stay.
  const load = async () => {
    const packed = Uint8Array.from(atob(document.getElementById('libraries').textContent), c => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
    const script = document.createElement('script');
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  };
  const start = () => {
    for (const element of document.querySelectorAll('script.spec')) {
      const spec = JSON.parse(element.textContent), figure = element.closest('figure');
      const place = document.createElement('div');
      place.className = 'chart';
      element.after(place);
      const chart = {
        spec, figure, place, names: spec.params.find(p => p.name === 'names').value, buttons: [],
      };
      charts.push(chart);
      addLegend(chart);
      if (spec.usermeta.zoom) addTools(chart);
    }
    let timer, width = innerWidth;
    addEventListener('resize', () => {
      clearTimeout(timer);
      if (innerWidth !== width) timer = setTimeout(drawAll, 150);
      width = innerWidth;
    });
    dark.addEventListener('change', drawAll);
    drawAll();
  };
  load().then(start, () => {});
})();
