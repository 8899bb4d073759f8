// How is a figure, a time or a state told to a person?

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

// In the largest two units that say something: "2 h 46 min".
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

// In one unit, for what is a guess anyway: "8 min".
export function roughly(seconds) {
  if (seconds < 99.5) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 99.5 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

const two = (number) => String(number).padStart(2, "0");

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

// The time of day where the reader is, with the date when it is another day's.
export function clock(at, { seconds = true } = {}) {
  const when = new Date(at * 1000);
  const time = `${two(when.getHours())}:${two(when.getMinutes())}`;
  const told = seconds ? `${time}:${two(when.getSeconds())}` : time;
  const days = Math.abs(at - Date.now() / 1000) / 86400;
  if (days < 1 && when.getDate() === new Date().getDate()) return told;
  if (days < 6) return `${DAYS[when.getDay()]} ${told}`;
  return `${when.getDate()} ${MONTHS[when.getMonth()]} ${when.getFullYear()} ${told}`;
}

export function plural(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

// By how much something grows, in the shortest of these times in which that is a tenth or more.
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

export function isFull(view) {
  const free = view.slots && view.slots.free.ordinary;
  return view.state === "full" || view.state === "reserved_only" || (view.state === "ok" && free === 0);
}

// Whether the figures are not of now: the server is gone, or does not let us see.
export function isBlind(view) {
  return view.state !== "ok" && !isFull(view);
}

export function state(view) {
  if (view.state !== "ok") return STATES[view.state] ?? view.state;
  if (isFull(view)) return "full for ordinary roles";
  if (view.forecast.exhaustion_seconds.ordinary !== null) {
    return view.severity === "ok" ? "use climbs" : "slots run out";
  }
  return view.severity === "ok" ? "all is well" : STATES.ok;
}

const SIGNS = {
  climb: "climbing",
  strokes: "going up in steps",
  range: "peaks growing",
  leak: "leaking",
};

// Until when there are slots for ordinary roles: a short answer, and what it rests on.
export function until(view) {
  const forecast = view.forecast;
  if (!forecast || isBlind(view)) return ["unknown", ""];
  const seconds = forecast.exhaustion_seconds.ordinary;
  if (seconds === null || seconds === undefined) {
    const peak = view.slots.peak["5m"];
    return ["no end in sight", peak === null ? "" : `at most ${peak} in use in the last 5 min`];
  }
  if (seconds === 0) return ["none is left", "ordinary roles are turned away"];
  const at = clock(view.sample.time + seconds, { seconds: seconds < 600 });
  const sign = SIGNS[forecast.sign] ?? "";
  const since = forecast.since === null ? "" : ` since ${clock(forecast.since, { seconds: false })}`;
  return [`gone in ${roughly(seconds)}`, `about ${at}${sign && `: ${sign}${since}`}`];
}

// Which name the browser's tab has.
export function title(view) {
  if (isFull(view)) return `FULL ${view.target}`;
  if (view.state !== "ok") return `${view.state.replaceAll("_", " ")} · ${view.target}`;
  const seconds = view.forecast.exhaustion_seconds.ordinary;
  const left = view.severity === "critical" && seconds ? `, ${roughly(seconds)}` : "";
  return `${view.slots.free.ordinary} free${left} · ${view.target}`;
}
