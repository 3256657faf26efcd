// Draws the charts of the Metrics page with uPlot. Their tables are in the page already.

const colours = 6; // --series-1 to --series-6; the lines after these have the same ones, dashed
const plots = new Map(); // by id of the chart: the plot and its labels
let asked = 0;

const { uPlot } = window;
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function short(value) {
  if (value === 0) return '0';
  for (const [size, suffix] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) if (value >= size) return +(value / size).toPrecision(3) + suffix;
  return String(+value.toPrecision(2));
}

function seconds(value) {
  if (value === 0) return '0';
  if (value < 1e-3) return short(value * 1e6) + ' µs';
  return value < 1 ? short(value * 1e3) + ' ms' : short(value) + ' s';
}

const formats = { requests: (v) => short(v) + '/s', errors: (v) => short(v) + '/s', p50: seconds, p95: seconds, pods: short };

// when is the time of a tick in UTC, or its date where ticks are at midnight.
function when(at) {
  const iso = new Date(at * 1000).toISOString();
  return iso.slice(11, 16) === '00:00' ? iso.slice(5, 10) : iso.slice(11, 16);
}

function options(chart, width) {
  const axis = { stroke: token('--muted'), grid: { stroke: token('--line'), width: 1 }, ticks: { stroke: token('--line'), width: 1 } };
  const format = formats[chart.measure];
  return {
    width, height: 180, legend: { show: false }, cursor: { drag: { setScale: false } },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), 'Etc/UTC'),
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [{ ...axis, values: (_, ticks) => ticks.map(when) }, { ...axis, size: 62, values: (_, ticks) => ticks.map(format) }],
    series: [{}, ...chart.lines.map((line, i) => ({
      label: line.label, width: 1.5, stroke: token(`--series-${i % colours + 1}`), dash: i < colours ? [] : [6, 4],
      spanGaps: false, points: { show: (plot, at) => alone(plot.data[at]), size: 4 },
    }))],
  };
}

// alone says whether a line has a value without neighbours, which only a point shows.
function alone(values) {
  return values.some((v, i) => v != null && values[i - 1] == null && values[i + 1] == null);
}

function draw(chart, times) {
  const holder = document.getElementById(`${chart.id}-plot`);
  if (!holder) return;
  const data = [times, ...chart.lines.map((line) => line.values)];
  const labels = JSON.stringify(chart.lines.map((line) => line.label));
  const known = plots.get(chart.id);
  if (known && known.labels === labels && holder.contains(known.plot.root)) {
    known.plot.setData(data);
    return;
  }
  if (known) known.plot.destroy();
  holder.textContent = '';
  plots.set(chart.id, { labels, plot: new uPlot(options(chart, holder.clientWidth), data, holder) });
}

async function refresh() {
  const mine = ++asked;
  const charts = document.getElementById('charts');
  const response = await fetch(charts.dataset.from, { credentials: 'same-origin' });
  if (!response.ok || mine !== asked) return; // the page says why
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

function redraw() { // in other colours
  for (const { plot } of plots.values()) plot.destroy();
  plots.clear();
  refresh();
}

await refresh();
document.addEventListener('krt:merged', (event) => { if (event.detail === 'charts') refresh(); });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
new ResizeObserver(() => {
  for (const [id, { plot }] of plots) {
    const width = document.getElementById(`${id}-plot`)?.clientWidth;
    if (width && width !== plot.width) plot.setSize({ width, height: 180 });
  }
}).observe(document.getElementById('charts'));
