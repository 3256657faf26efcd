// Draws the charts of a bundle's dashboard. Each has its values in an attribute, and a table next to it.
import { plot, short, valuesOf, watch } from './chart.js';

const plots = new Map(); // by holder: the plot, its labels, and its values as text

function draw(holder) {
  const text = holder.dataset.plot;
  const chart = JSON.parse(text);
  const labels = JSON.stringify(chart.lines.map((line) => line.label));
  const known = plots.get(holder);
  if (known?.labels === labels) {
    known.plot.setData(valuesOf(chart));
    known.text = text;
    return;
  }
  known?.plot.destroy();
  const format = (value) => chart.prefix + short(value) + chart.suffix;
  plots.set(holder, { text, labels, plot: plot(chart, holder.firstElementChild, format) });
}

function refresh() {
  for (const [holder, { plot }] of plots) {
    if (holder.isConnected) continue;
    plot.destroy();
    plots.delete(holder);
  }
  for (const holder of document.querySelectorAll('[data-plot]')) {
    if (plots.get(holder)?.text !== holder.dataset.plot) draw(holder);
  }
}

refresh();
document.addEventListener('krt:merged', refresh);
watch(plots, refresh);
