// Draws the connections of one application over time, small enough for a table.

import { makeSvg, set } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 28;

export function makeSparkline() {
  return makeSvg(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
    makeSvg("path", { class: "area" }),
    makeSvg("path", { class: "line", "vector-effect": "non-scaling-stroke" }),
  );
}

// All of a table share one scale: `highest` connections are as tall as the line can be.
export function sparkline(svg, history, name, now, from, highest) {
  const steps = [];
  let least = Infinity;
  let most = 0;
  history.since(from, now, (point, end, complete) => {
    const count = point.applications[name] ?? 0;
    least = Math.min(least, count);
    most = Math.max(most, count);
    steps.push([Math.max(point.time, from), end, count, complete]);
  });
  if (!steps.length) return;
  const x = (at) => (((at - from) / (now - from)) * WIDTH).toFixed(1);
  const y = (count) => (HEIGHT - 2 - (count / Math.max(highest, 4)) * (HEIGHT - 4)).toFixed(1);
  let line = "";
  let area = "";
  let pen = false;
  for (const [start, end, count, complete] of steps) {
    const to = y(count);
    if (!pen) {
      line += `M${x(start)} ${to}`;
      area += `M${x(start)} ${HEIGHT}V${to}`;
    }
    line += `${pen ? `V${to}` : ""}H${x(end)}`;
    area += `${pen ? `V${to}` : ""}H${x(end)}`;
    pen = complete;
    if (!complete) area += `V${HEIGHT}Z`;
  }
  if (pen) area += `V${HEIGHT}Z`;
  set(svg.children[0], { d: area });
  set(svg.children[1], { d: line });
  set(svg, { "aria-label": `from ${least} to ${most}, now ${steps.at(-1)[2]}` });
}
