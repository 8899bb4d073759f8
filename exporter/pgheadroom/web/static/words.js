// Formats figures, times and states as text.

import { capacityOf } from "./capacity.js";

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

// In the two largest units that are not 0: "2 h 46 min".
export function duration(seconds) {
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  let left = Math.round(seconds);
  const parts = [];
  for (const [unit, size] of UNITS) {
    const number = Math.floor(left / size);
    left %= size;
    if (parts.length) return number ? `${parts[0]} ${number} ${unit}` : parts[0];
    if (number) parts.push(`${number} ${unit}`);
  }
  return parts[0];
}

// In one unit, for estimates: "8 min".
export function roughly(seconds) {
  if (seconds < 99.5) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 99.5 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

const two = (number) => String(number).padStart(2, "0");

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

// The time of day in the reader's time zone, with the date if it is not today.
export function clock(at, { seconds = true } = {}) {
  const when = new Date(at * 1000);
  const time = `${two(when.getHours())}:${two(when.getMinutes())}`;
  const text = seconds ? `${time}:${two(when.getSeconds())}` : time;
  const days = Math.abs(at - Date.now() / 1000) / 86400;
  if (days < 1 && when.getDate() === new Date().getDate()) return text;
  if (days < 6) return `${DAYS[when.getDay()]} ${text}`;
  return `${when.getDate()} ${MONTHS[when.getMonth()]} ${when.getFullYear()} ${text}`;
}

export function plural(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

// Growth per minute, hour or day: the shortest of these in which it is a tenth or more.
export function growth(perSecond) {
  if (perSecond === null) return "–";
  for (const [unit, size] of [["min", 60], ["h", 3600], ["d", 86400]]) {
    const by = Math.abs(perSecond) * size;
    if (by < 0.095) continue;
    const figure = by < 9.95 ? Math.round(by * 10) / 10 : Math.round(by);
    return `${perSecond < 0 ? "−" : "+"}${figure}/${unit}`;
  }
  return "0";
}

export const isFull = (view) => view.standing === "full";

// Whether the figures are old: the server is gone, or refuses us.
export const isBlind = (view) => view.standing === "blind" || view.standing === "waiting";

// Whether alerts still fire, but the cause of each is gone.
const isRecovering = (view) => view.status.condition === "recovering";

// In which colour a target is shown.
const COLOURS = { steady: "ok", recovering: "warning" };
export const colour = ({ status }) => COLOURS[status.condition] ?? status.condition;

// Until when there is something free for ordinary clients: a short answer, and its basis.
export function until(view) {
  const { when, because } = view.status;
  if (isRecovering(view) && view.resolves_at !== null) {
    return [when, `${because}; the alert clears at ${clock(view.resolves_at)} if it stays so`];
  }
  const foreseen = view.standing === "running_out" && when.startsWith("full in");
  const left = foreseen ? capacityOf(view).left : null;
  if (left === null) return [when, because];
  const at = `at about ${clock(view.sample.time + left, { seconds: false })}`;
  return [when, because ? `${at}; ${because}` : at];
}

// The title of the browser's tab.
export function title(view) {
  const { condition, label, when } = view.status;
  if (isFull(view)) return `FULL ${view.target}`;
  if (view.state !== "ok") return `${label} · ${view.target}`;
  const { free } = capacityOf(view);
  const pages = condition === "critical";
  const soon = pages && view.standing === "running_out" ? `, ${when}` : "";
  return `${pages ? "PAGE · " : ""}${free === null ? "" : `${free} free${soon} · `}${view.target}`;
}

// How much is free, as short as it can be said.
export function freeOf(view, capacity) {
  if (!capacity) return isFull(view) ? "0" : "–";
  return capacity.free === null ? "any number" : String(capacity.free);
}

// The alerts that no other one says better, the most urgent first.
export const told = (view) => view.alerts.filter((alert) => alert.superseded_by === null);

// The description of an alert, with its time if that is not the time of the sample.
export function description(view, alert) {
  const earlier = view.sample && alert.told_at !== null && alert.told_at < view.sample.time;
  return earlier ? `At ${clock(alert.told_at)}: ${alert.description}` : alert.description;
}

// What a target is, with its version as far as that is known: "PgBouncer 1.26.1".
export function software(view) {
  const { kind, pooler, server } = view;
  const [name, version] = kind === "pgbouncer" ? [pooler?.software ?? "PgBouncer", pooler?.version] : ["PostgreSQL", server?.version];
  return version ? `${name} ${version}` : name;
}
