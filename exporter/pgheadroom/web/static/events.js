// Shows what happened: alerts, recoveries, restarts and jumps, the newest first.

import { $, keyed, make, say, set } from "./dom.js";
import { clock } from "./words.js";

const KINDS = {
  alert_begins: "began",
  alert_changes: "changed",
  recovers: "recovered",
  alert_ends: "over",
  unreadable: "unreadable",
  readable: "readable",
  restart: "restart",
  jump: "jump",
};
const SHOWN = 20;

export function events(all) {
  $("events-section").hidden = !all.length;
  keyed(
    $("events"),
    all.slice(0, SHOWN),
    (event) => JSON.stringify([event.time, event.kind, event.alertname, event.words]),
    (event) =>
      make(
        "li",
        { class: `event ${event.level}` },
        make("time"),
        " ",
        make("span", { class: "badge" }, KINDS[event.kind] ?? event.kind),
        " ",
        make("span", { class: "words" }, event.alertname ? `${event.alertname}: ` : "", make("bdi", {}, event.words)),
      ),
    (element, event) => {
      const time = element.querySelector("time");
      say(time, clock(event.time));
      set(time, { datetime: new Date(event.time * 1000).toISOString() });
    },
  );
}

// For the chart: from when to when which alert fired, and the moments of restarts and jumps.
export function marks(all, now) {
  const spans = [];
  const moments = [];
  const open = new Map();
  for (const event of [...all].reverse()) {
    if (event.kind === "alert_begins") open.set(event.alertname, event);
    if (event.kind === "alert_ends" && open.has(event.alertname)) {
      const { time, level } = open.get(event.alertname);
      spans.push({ from: time, to: event.time, level, name: event.alertname });
      open.delete(event.alertname);
    }
    if (event.kind === "restart" || event.kind === "jump") moments.push(event);
  }
  for (const { time, level, alertname } of open.values()) spans.push({ from: time, to: now, level, name: alertname });
  return { spans, moments };
}
