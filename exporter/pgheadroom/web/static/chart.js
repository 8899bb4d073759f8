// Draws usage against the limits, and the forecast, with uPlot (see uplot.LICENSE).

import { capacityOf } from "./capacity.js";
import { keyed, make, say } from "./dom.js";
import { marks } from "./events.js";
import { BANDS, edges, stacked } from "./stack.js";
import { clock } from "./words.js";

const uPlot = window.uPlot;

const HEIGHT = 280;
const LOW_HEIGHT = 220; // on a phone
const NARROW = 560;
const SERIES = 5; // time, lowest, mean, highest, forecast; the bands of the stack follow
const AXIS_FONT = "12px system-ui, sans-serif";

const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--${name}`).trim();
const height = (width) => (width < NARROW ? LOW_HEIGHT : HEIGHT);

export class Chart {
  #box;
  #keys;
  #plot;
  #range = { from: 0, to: 1, most: 1 };
  #limits = [];
  #marks = { spans: [], moments: [] };
  #names = [];
  #culprit = "";

  constructor(box, readout, keys) {
    this.#box = box;
    this.#keys = keys;
    const width = box.clientWidth || 600;
    const empty = Array.from({ length: SERIES + BANDS }, () => []);
    this.#plot = new uPlot(this.#options(width, readout), empty, box);
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
    const columns = Array.from({ length: SERIES + BANDS }, () => []);
    // While it recovers, who was to blame stands out still.
    const blamed = view.alerts.find((alert) => alert.application_name)?.application_name ?? "";
    this.#culprit = view.taker?.took ? view.status.who : blamed;
    this.#names = stacked(history, from, now, this.#culprit);
    const none = new Array(BANDS).fill(null);
    const put = (at, low, mean, high, forecast = null, bands = none) =>
      [at, low, mean, high, forecast, ...bands].forEach((value, index) => columns[index].push(value));
    let highest = all ?? Math.max(1, used);
    history.since(from, now, (point, end, complete) => {
      highest = Math.max(highest, point.high);
      const bands = edges(this.#names, point);
      put(Math.max(point.time, from), point.low, point.mean, point.high, null, bands);
      if (!complete) {
        put(end, point.low, point.mean, point.high, null, bands);
        put(end + 0.001, null, null, null);
      }
    });
    const last = columns[0].length - 1;
    if (last >= 0 && columns[2][last] !== null) {
      const bands = columns.slice(SERIES).map((column) => column[last]);
      put(now, columns[1][last], columns[2][last], columns[3][last], used, bands);
      if (left) put(view.sample.time + left, null, null, null, limit);
    }
    this.#range = { from, to: now + ahead, most: highest * 1.08 };
    this.#limits = [];
    if (limit !== null) this.#limits.push([limit, "ordinary", `${limit} for ${whose}`]);
    if (all > limit) this.#limits.push([all, "most", `${all} in all`]);
    this.#marks = marks(view.events, now);
    this.#plot.setData(columns);
    this.#legend();
  }

  // What each colour stands for: the culprit first, the rest last.
  #legend() {
    const shown = [...this.#names].reverse();
    keyed(
      this.#keys,
      shown.map((name, index) => ({ name, colour: this.#colourOf(shown.length - index) })),
      ({ name }) => name,
      ({ name }) => make("span", { class: "key band" }, make("bdi", {}, name)),
      (element, one) => element.style.setProperty("--band-colour", `var(--${one.colour})`),
    );
  }

  // The colour of the band of a place in the stack; 0 is the rest.
  #colourOf(place) {
    if (!place) return "stack-rest";
    return this.#names[place - 1] === this.#culprit ? "stack-culprit" : `stack-${place}`;
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
        line({ stroke: "transparent", width: 0, fill: () => colour("stack-rest") }),
        ...Array.from({ length: BANDS - 1 }, () => line({ stroke: "transparent", width: 0 })),
      ],
      bands: [
        { series: [3, 1], fill: () => colour("band") },
        ...Array.from({ length: BANDS - 1 }, (_, index) => ({
          series: [SERIES + index + 1, SERIES + index],
          fill: () => colour(this.#colourOf(index + 1)),
        })),
      ],
      hooks: {
        draw: [(plot) => this.#drawLimits(plot), (plot) => this.#drawMarks(plot)],
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

  // When which alert fired, as bars at the foot; restarts and jumps as lines.
  #drawMarks(plot) {
    const { ctx, bbox } = plot;
    const scale = devicePixelRatio;
    const x = (at) => Math.min(Math.max(plot.valToPos(at, "x", true), bbox.left), bbox.left + bbox.width);
    ctx.save();
    this.#marks.spans.forEach(({ from, to, level }, index) => {
      ctx.fillStyle = colour(level === "critical" ? "red" : "amber");
      const height = 4 * scale;
      const y = bbox.top + bbox.height - height - ((index % 3) * (height + scale));
      if (x(to) > bbox.left) ctx.fillRect(x(from), y, Math.max(2 * scale, x(to) - x(from)), height);
    });
    ctx.setLineDash([2 * scale, 4 * scale]);
    ctx.strokeStyle = colour("muted");
    for (const { time } of this.#marks.moments) {
      if (time < this.#range.from) continue;
      ctx.beginPath();
      ctx.moveTo(x(time), bbox.top);
      ctx.lineTo(x(time), bbox.top + bbox.height);
      ctx.stroke();
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
