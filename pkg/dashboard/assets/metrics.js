// Draws the charts of the Metrics page. Their tables are in the page already.
import { height, plot, short, valuesOf } from './chart.js';

const plots = new Map(); // by id of the chart: the plot and its labels
let asked = 0, failures = 0, timer = 0;

function seconds(value) {
  if (value === 0) return '0';
  if (value < 1e-3) return short(value * 1e6) + ' µs';
  return value < 1 ? short(value * 1e3) + ' ms' : short(value) + ' s';
}

const formats = { requests: (v) => short(v) + '/s', errors: (v) => short(v) + '/s', p50: seconds, p95: seconds, pods: short };

function draw(chart, times) {
  const holder = document.getElementById(`${chart.id}-plot`);
  if (!holder) return;
  Object.assign(chart, { times, seconds: Number(document.getElementById('charts').dataset.seconds) });
  const labels = JSON.stringify(chart.lines.map((line) => line.label));
  const known = plots.get(chart.id);
  if (known && known.labels === labels && holder.contains(known.plot.root)) {
    known.plot.setData(valuesOf(chart));
    return;
  }
  if (known) known.plot.destroy();
  holder.textContent = '';
  plots.set(chart.id, { labels, plot: plot(chart, holder, formats[chart.measure]) });
}

async function load(mine) {
  const charts = document.getElementById('charts');
  const response = await fetch(charts.dataset.from, { credentials: 'same-origin' });
  if (mine !== asked) return;
  if (!response.ok) throw new Error(response.statusText); // the page says why
  const all = await response.json();
  if (mine !== asked) return;
  const ids = new Set(all.charts.map((chart) => chart.id));
  for (const [id, { plot }] of plots) {
    if (ids.has(id)) continue;
    plot.destroy();
    plots.delete(id);
  }
  for (const chart of all.charts) draw(chart, all.times);
}

// refresh draws what is known now. What cannot be read is tried again.
async function refresh() {
  const mine = ++asked;
  clearTimeout(timer);
  try {
    await load(mine);
    failures = 0;
  } catch {
    if (mine === asked) timer = setTimeout(refresh, Math.min(60000, 1000 * 2 ** failures++));
  }
}

function redraw() { // in other colours
  for (const { plot } of plots.values()) plot.destroy();
  plots.clear();
  refresh();
}

refresh();
document.addEventListener('krt:merged', (event) => { if (event.detail === 'charts') refresh(); });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
new ResizeObserver(() => {
  for (const [id, { plot }] of plots) {
    const width = document.getElementById(`${id}-plot`)?.clientWidth;
    if (width && width !== plot.width) plot.setSize({ width, height });
  }
}).observe(document.getElementById('charts'));
