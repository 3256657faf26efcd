// Draws the charts of the Metrics page. Their tables are in the page already.
import { plot, short, valuesOf, watch } from './chart.js';

const plots = new Map(); // by holder: the plot and its labels
let asked = 0, failures = 0, timer = 0;

function seconds(value) {
  if (value === 0) return '0';
  if (value < 1e-3) return short(value * 1e6) + ' µs';
  return value < 1 ? short(value * 1e3) + ' ms' : short(value) + ' s';
}

const formats = { requests: (v) => short(v) + '/s', errors: (v) => short(v) + '/s', p50: seconds, p95: seconds, pods: short };

const holderOf = (chart) => document.getElementById(`${chart.id}-plot`);

function draw(chart, times) {
  const holder = holderOf(chart);
  if (!holder) return;
  Object.assign(chart, { times, seconds: Number(document.getElementById('charts').dataset.seconds) });
  const labels = JSON.stringify(chart.lines.map((line) => line.label));
  const known = plots.get(holder);
  if (known?.labels === labels) {
    known.plot.setData(valuesOf(chart));
    return;
  }
  known?.plot.destroy();
  plots.set(holder, { labels, plot: plot(chart, holder, formats[chart.measure]) });
}

async function load(mine) {
  const charts = document.getElementById('charts');
  const response = await fetch(charts.dataset.from, { credentials: 'same-origin' });
  if (mine !== asked) return;
  if (!response.ok) throw new Error(response.statusText); // the page says why
  const all = await response.json();
  if (mine !== asked) return;
  const holders = new Set(all.charts.map(holderOf));
  for (const [holder, { plot }] of plots) {
    if (holders.has(holder)) continue;
    plot.destroy();
    plots.delete(holder);
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

refresh();
document.addEventListener('krt:merged', (event) => { if (event.detail === 'charts') refresh(); });
watch(plots, refresh);
