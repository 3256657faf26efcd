// Draws the charts of a bundle's dashboard. Each has its values in an attribute, and a table next to it.
import { height, plot, short, valuesOf } from './chart.js';

const plots = new Map(); // by holder: the plot, its labels, and its values as text

function draw(holder) {
  const text = holder.dataset.plot;
  const chart = JSON.parse(text);
  const labels = JSON.stringify(chart.lines.map((line) => line.label));
  const known = plots.get(holder);
  if (known?.labels === labels) {
    known.drawn.setData(valuesOf(chart));
    known.text = text;
    return;
  }
  known?.drawn.destroy();
  const format = (value) => chart.prefix + short(value) + chart.suffix;
  plots.set(holder, { text, labels, drawn: plot(chart, holder.firstElementChild, format) });
}

function refresh() {
  for (const [holder, { drawn }] of plots) {
    if (holder.isConnected) continue;
    drawn.destroy();
    plots.delete(holder);
  }
  for (const holder of document.querySelectorAll('[data-plot]')) {
    if (plots.get(holder)?.text !== holder.dataset.plot) draw(holder);
  }
}

function redraw() { // in other colours
  for (const { drawn } of plots.values()) drawn.destroy();
  plots.clear();
  refresh();
}

refresh();
document.addEventListener('krt:merged', refresh);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
new ResizeObserver(() => {
  for (const [holder, { drawn }] of plots) {
    if (holder.clientWidth && holder.clientWidth !== drawn.width) drawn.setSize({ width: holder.clientWidth, height });
  }
}).observe(document.body);
