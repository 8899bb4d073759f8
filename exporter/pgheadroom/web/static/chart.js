// Draws usage against the limits, and the forecast, with uPlot (see uplot.LICENSE).

import { capacityOf } from "./capacity.js";
import { say } from "./dom.js";
import { clock } from "./words.js";

const uPlot = window.uPlot;

const HEIGHT = 280;
const LOW_HEIGHT = 220; // on a phone
const NARROW = 560;
const AXIS_FONT = "12px system-ui, sans-serif";

const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--${name}`).trim();
const height = (width) => (width < NARROW ? LOW_HEIGHT : HEIGHT);

export class Chart {
  #box;
  #plot;
  #range = { from: 0, to: 1, most: 1 };
  #limits = [];

  constructor(box, readout) {
    this.#box = box;
    const width = box.clientWidth || 600;
    this.#plot = new uPlot(this.#options(width, readout), [[], [], [], [], []], box);
    new ResizeObserver(() => {
      const now = box.clientWidth;
      if (now && now !== this.#plot.width) this.#plot.setSize({ width: now, height: height(now) });
    }).observe(box);
    // Redraws in the colours of the page: light, dark, or on paper.
    for (const query of ["(prefers-color-scheme: dark)", "print"]) {
      matchMedia(query).addEventListener("change", () => this.#plot.redraw(true, true));
    }
  }

  // Shows the buckets of `history` from `from` to `now`, and the forecast after that.
  show(history, view, from, now, ahead) {
    const { limit, all, used, left, whose } = capacityOf(view);
    const columns = [[], [], [], [], []];
    const put = (at, low, mean, high, forecast = null) =>
      [at, low, mean, high, forecast].forEach((value, index) => columns[index].push(value));
    let highest = all ?? Math.max(1, used);
    history.since(from, now, (point, end, complete) => {
      highest = Math.max(highest, point.high);
      put(Math.max(point.time, from), point.low, point.mean, point.high);
      if (!complete) {
        put(end, point.low, point.mean, point.high);
        put(end + 0.001, null, null, null);
      }
    });
    const last = columns[0].length - 1;
    if (last >= 0 && columns[2][last] !== null) {
      put(now, columns[1][last], columns[2][last], columns[3][last], used);
      if (left) put(view.sample.time + left, null, null, null, limit);
    }
    this.#range = { from, to: now + ahead, most: highest * 1.08 };
    this.#limits = [];
    if (limit !== null) this.#limits.push([limit, "ordinary", `${limit} for ${whose}`]);
    if (all > limit) this.#limits.push([all, "most", `${all} in all`]);
    this.#plot.setData(columns);
  }

  #options(width, readout) {
    const stepped = uPlot.paths.stepped({ align: 1 });
    const axis = { stroke: () => colour("muted"), font: AXIS_FONT, ticks: { show: false } };
    const grid = { stroke: () => colour("grid"), width: 1 };
    const line = (more) => ({ paths: stepped, points: { show: false }, ...more });
    return {
      width,
      height: height(width),
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      scales: {
        x: { time: true, range: () => [this.#range.from, this.#range.to] },
        y: { range: () => [0, this.#range.most] },
      },
      axes: [
        {
          ...axis,
          grid,
          space: 70,
          size: 32,
          values: (_, splits, __, ___, step) =>
            splits.map((at) => clock(at, { seconds: step < 60 })),
        },
        {
          ...axis,
          grid,
          size: 44,
          incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 2500, 5000, 10000, 50000],
        },
      ],
      series: [
        {},
        line({ stroke: "transparent", width: 0 }),
        line({ stroke: () => colour("curve"), width: 2 }),
        line({ stroke: "transparent", width: 0 }),
        {
          points: { show: false },
          stroke: () => colour("ahead"),
          width: 2,
          dash: [6, 5],
          spanGaps: true,
        },
      ],
      bands: [{ series: [3, 1], fill: () => colour("band") }],
      hooks: {
        draw: [(plot) => this.#drawLimits(plot)],
        setCursor: [(plot) => this.#read(plot, readout)],
      },
    };
  }

  #drawLimits(plot) {
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.textAlign = "left";
    ctx.font = `600 ${12 * scale}px system-ui, sans-serif`;
    let above = Infinity;
    for (const [limit, name, words] of this.#limits) {
      const y = Math.round(plot.valToPos(limit, "y", true));
      ctx.strokeStyle = ctx.fillStyle = colour(name);
      ctx.lineWidth = 1.5 * scale;
      ctx.setLineDash(name === "most" ? [2 * scale, 3 * scale] : []);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      // If two lines are close, one label goes above and one below.
      const close = above - y < 18 * scale;
      ctx.textBaseline = name === "ordinary" ? "top" : "bottom";
      if (name === "ordinary" || !close || y > bbox.top + 14 * scale) {
        ctx.fillText(words, bbox.left + 8 * scale, y + (name === "ordinary" ? 5 : -4) * scale);
      }
      above = y;
    }
    ctx.restore();
  }

  #read(plot, readout) {
    const index = plot.cursor.idx;
    const [times, lows, , highs] = plot.data;
    if (index === null || index === undefined || lows[index] === null || lows[index] === undefined) {
      say(readout, "");
      return;
    }
    const range = lows[index] === highs[index] ? `${lows[index]}` : `${lows[index]} to ${highs[index]}`;
    say(readout, `${clock(times[index])}: ${range} in use`);
  }
}
