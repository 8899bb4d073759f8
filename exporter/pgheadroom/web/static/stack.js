// Decides which applications are stacked in the chart, and how high each band is.

export const BANDS = 7; // one for the rest, and at most this many less one for applications

// The applications with the highest peaks since a time, the culprit last: it lies on top.
export function stacked(history, from, now, culprit) {
  const peaks = new Map();
  history.since(from, now, ({ applications }) => {
    for (const [name, count] of Object.entries(applications)) {
      if (count > (peaks.get(name) ?? 0)) peaks.set(name, count);
    }
  });
  const order = [...peaks].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
  const names = order.filter((name) => name !== culprit && name !== "other").slice(0, BANDS - 2);
  names.reverse();
  if (peaks.has(culprit)) names.push(culprit);
  return names;
}

// The upper edges of the bands at one point: the rest first, then each of the names. Counts by
// application are the most of a stretch; the bands add up to the mean that was in use.
export function edges(names, { applications, mean }) {
  let sum = 0;
  for (const count of Object.values(applications)) sum += count;
  const scale = sum > mean && sum > 0 ? mean / sum : 1;
  const own = names.map((name) => (applications[name] ?? 0) * scale);
  let edge = mean - own.reduce((total, count) => total + count, 0);
  const found = [Math.max(0, edge)];
  for (const count of own) {
    edge += count;
    found.push(Math.max(0, edge));
  }
  while (found.length < BANDS) found.push(found.at(-1));
  return found;
}
