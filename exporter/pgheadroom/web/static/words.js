// Formats figures, times and states as text.

import { capacityOf, nouns } from "./capacity.js";

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

const STATES = {
  waiting: "waiting for the first reading",
  ok: "answers",
  full: "full: every slot is taken",
  reserved_only: "full: only reserved slots are left",
  role_limit: "our role is at its CONNECTION LIMIT",
  database_limit: "the database is at its CONNECTION LIMIT",
  pooler_full: "the pooler in front of it is full",
  starting: "starting up",
  shutting_down: "shutting down",
  auth: "does not let us log in",
  error: "answers with an error",
  timeout: "does not answer in time",
  host_unknown: "its host is unknown",
  unreachable: "unreachable",
};

const STATES_OF_A_POOLER = { pooler_full: "full: every place for clients is taken" };

export const isFull = (view) => view.standing === "full";

// Whether the figures are old: the server is gone, or refuses us.
export const isBlind = (view) => view.standing === "blind" || view.standing === "waiting";

// Whether alerts still fire, but the cause of each is gone.
export const isRecovering = (view) => view.standing === "recovering";

// The state of the target, in a few words.
export function state(view) {
  const states = view.kind === "pgbouncer" ? { ...STATES, ...STATES_OF_A_POOLER } : STATES;
  const { one, whose } = nouns(view);
  if (view.state !== "ok") return states[view.state] ?? view.state;
  if (isFull(view)) return `full for ${whose}`;
  if (view.standing === "running_out") return view.severity === "ok" ? "use climbs" : `${one}s run out`;
  if (view.standing === "climbing") return "use climbs";
  if (isRecovering(view)) return "recovering";
  if (view.standing === "queueing") return "clients queue";
  return view.standing === "alarmed" ? "answers, and an alert fires" : "all is well";
}

// The same as a headline: if an alert fires, its summary.
export function worst(view) {
  const [alert] = view.alerts;
  const own = isFull(view) || isBlind(view) || isRecovering(view) || ["climbing", "queueing"].includes(view.standing);
  return alert && !own ? alert.summary.replace(/\.$/, "") : state(view);
}

const SIGNS = {
  climb: "climbing",
  jumps: "going up in steps",
  cycle: "peaks growing",
  leak: "leaking",
};

// Until when there is something free for ordinary clients: a short answer, and its basis.
export function until(view) {
  const { forecast } = view;
  const capacity = capacityOf(view);
  if (isFull(view)) return ["none is left", `${nouns(view).whose} are refused`];
  if (isBlind(view)) return ["unknown", ""];
  if (view.standing === "alarmed") return ["no forecast", `but ${view.alerts[0].alertname} fires`];
  if (isRecovering(view)) {
    const at = view.resolves_at === null ? "" : ` and resolves at ${clock(view.resolves_at)} if that lasts`;
    return ["no end in sight", `the alert's cause is gone${at}`];
  }
  if (view.standing !== "running_out") {
    const peak = capacity.peak["5m"];
    const end = view.standing === "climbing" ? "no forecast yet" : "no end in sight";
    return [end, peak === null ? "" : `at most ${peak} in use in the last 5 min`];
  }
  const seconds = capacity.left;
  const at = clock(view.sample.time + seconds, { seconds: seconds < 600 });
  const sign = SIGNS[forecast.sign] ?? "";
  const since = forecast.since === null ? "" : ` since ${clock(forecast.since, { seconds: false })}`;
  return [`gone in ${roughly(seconds)}`, `about ${at}${sign && `: ${sign}${since}`}`];
}

// The title of the browser's tab.
export function title(view) {
  if (isFull(view)) return `FULL ${view.target}`;
  if (view.state !== "ok") return `${view.state.replaceAll("_", " ")} · ${view.target}`;
  const { free, left } = capacityOf(view);
  const pages = view.severity === "critical" && !isRecovering(view);
  const soon = pages && left ? `, ${roughly(left)}` : "";
  return `${pages ? "PAGE · " : ""}${free === null ? "" : `${free} free${soon} · `}${view.target}`;
}

// How much is free, as short as it can be said.
export function freeOf(view, capacity) {
  if (!capacity) return isFull(view) ? "0" : "–";
  return capacity.free === null ? "any number" : String(capacity.free);
}

// The application that takes most, and how many.
export function taker(view) {
  const who = view.taker;
  if (!who) return ["–", ""];
  const name = who.application_name;
  if (!who.took) return [name, `holds most: ${who.holds} of ${capacityOf(view).used}`];
  return [name, `took ${Math.round(who.took)} in the last ${roughly(who.seconds)}, holds ${who.holds}`];
}

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
