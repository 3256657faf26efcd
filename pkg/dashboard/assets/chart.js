// What the charts of all pages have in common. A chart is {times, lines: [{label, values}]}, with times
// in seconds since 1970 and null where nothing is known; with seconds, it ends now and is so long. The table next to it is its legend.

const { uPlot } = window;
const height = 160;
const colours = 6; // --series-1 to --series-6; the lines after these have the same ones, dashed
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// short is a number in a few characters.
export function short(value) {
  for (const [size, suffix] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']]) if (Math.abs(value) >= size) return +(value / size).toPrecision(3) + suffix;
  return String(+value.toPrecision(3));
}

// clock is a time in UTC, with the day where one begins.
function clock(at) {
  const text = new Date(at * 1000).toISOString();
  return text.slice(11, 16) === '00:00' ? text.slice(5, 10) : text.slice(11, 16);
}

// alone says whether a line has a value without neighbours, which only a point shows.
function alone(values) {
  return values.some((v, i) => v != null && values[i - 1] == null && values[i + 1] == null);
}

// plot draws the chart into the element. format is for the values of its axis.
export function plot(chart, into, format) {
  const axis = { stroke: token('--muted'), grid: { stroke: token('--line'), width: 1 }, ticks: { stroke: token('--line'), width: 1 } };
  const bars = chart.bars && chart.lines.length === 1 ? uPlot.paths.bars({ size: [0.7, 40] }) : undefined;
  const line = ({ label }, i) => {
    const stroke = token(`--series-${i % colours + 1}`);
    return {
      label, stroke, fill: bars && stroke, paths: bars, width: 1.5, dash: i < colours ? [] : [6, 4],
      points: { show: (u, at) => !bars && alone(u.data[at]), size: 5, fill: stroke },
    };
  };
  return new uPlot({
    width: into.clientWidth, height, padding: [8, 18, 0, 0], legend: { show: false }, cursor: { drag: { setScale: false } },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), 'Etc/UTC'),
    scales: { x: chart.seconds ? { range: () => [Date.now() / 1000 - chart.seconds, Date.now() / 1000] } : {}, y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.1 : 1] } },
    axes: [{ ...axis, size: 28, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 62, values: (_, ticks) => ticks.map(format) }],
    series: [{}, ...chart.lines.map(line)],
  }, valuesOf(chart), into);
}

// valuesOf are the values as uPlot has them.
export const valuesOf = (chart) => [chart.times, ...chart.lines.map((line) => line.values)];

// watch draws the plots of a map, which are by the elements that hold them, again when colours change, by
// refresh, and in the width that their holders have.
export function watch(plots, refresh) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const { plot } of plots.values()) plot.destroy();
    plots.clear();
    refresh();
  });
  new ResizeObserver(() => {
    for (const [holder, { plot }] of plots) {
      if (holder.clientWidth && holder.clientWidth !== plot.width) plot.setSize({ width: holder.clientWidth, height });
    }
  }).observe(document.body);
}
