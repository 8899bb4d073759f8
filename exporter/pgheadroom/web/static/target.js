// Shows one target: the headline, what to do, the bar, the curve, the tables.

import { capacityOf, nouns } from "./capacity.js";
import { Chart } from "./chart.js";
import { $, keyed, make, say, set } from "./dom.js";
import { events } from "./events.js";
import { gauge, legend } from "./gauge.js";
import { History } from "./history.js";
import { listen, mood } from "./live.js";
import { pooling } from "./pooling.js";
import { pools } from "./pools.js";
import { blockers, remedies } from "./remedies.js";
import { makeSparkline, sparkline } from "./sparkline.js";
import { clock, description, duration, freeOf, growth, isBlind, isFull, plural, roughly } from "./words.js";
import { colour, software, title, told, until } from "./words.js";

const { root, target } = document.documentElement.dataset;
const api = `${root}api/v1`;
const name = encodeURIComponent(target);

const HOUR = 3600;
const LEAST_SPAN = 120;
const OLD_SECONDS = 3; // a breakdown by application that is older says so

const history = new History();
let view = null;
let capacity = null;
let chart = null;
let announced = "";

const daemonClock = listen(`${api}/stream?target=${name}`, `${api}/targets/${name}`, {
  history: (data) => history.replace(data.points),
  target: (data) => {
    history.add(data.recent);
    show(data);
  },
  glance: (data) => {
    history.replace(data.history.points);
    show(data);
  },
});

setInterval(age, 500);
$("span").addEventListener("change", curve);

function show(data) {
  view = data;
  capacity = capacityOf(view);
  document.title = title(view);
  mood(colour(view), root);
  document.body.dataset.kind = view.kind;
  document.body.classList.toggle("is-full", isFull(view));
  headline();
  todo();
  news();
  names();
  if (capacity) {
    gauge($("gauge"), capacity);
    legend($("legend"), capacity);
    curve();
  }
  pools(view.pooler, root);
  applications();
  blockers(view.blockers, view.sample?.time ?? 0);
  remedies(view.remedies);
  events(view.events);
  pooling(view.pooling, root);
  limits();
  planning();
  server();
  age();
}

// What the page calls things: a server has slots, a pooler has places for clients.
function names() {
  const { many, holders } = nouns(view);
  const begun = many[0].toUpperCase() + many.slice(1);
  say($("slots-heading"), `${begun} now`);
  set($("gauge"), { "aria-label": `${begun} in use` });
  say($("holders-heading"), holders);
  const it = view.kind === "pgbouncer" ? "pooler" : "server";
  say($("server-heading"), `The ${it}, and how it is watched`);
}

function headline() {
  const { label, who, change } = view.status;
  say($("state"), label);
  say($("free"), freeOf(view, capacity));
  say($("of"), freeWords());
  const [when, because] = until(view);
  say($("until"), when);
  say($("sign"), because);
  say($("who-heading"), view.taker?.took ? "Biggest change" : "Top consumer");
  say($("who"), who || "–");
  say($("took"), change);
  say($("others"), capacity ? reach() : "");
}

// What the number of what is free counts: "of 60 places for clients free".
function freeWords() {
  const { many } = nouns(view);
  const free = isBlind(view) ? `${many} were free` : `${many} free`;
  return capacity ? `of ${capacity.limit ?? ""} ${free}`.replace("  ", " ") : free;
}

// For whom what is free is, and how much others have; of a pooler, who queues.
function reach() {
  if (isBlind(view)) return `when last seen, at ${clock(view.sample.time)}`;
  if (view.state !== "ok") return `other figures are of ${clock(view.sample.time)}, when last seen`;
  const { whose, others } = capacity;
  return view.pooler ? queued(view.pooler.pools) : `for ${whose} (${others.join(", ")})`;
}

function queued(all) {
  const waiting = all.reduce((sum, pool) => sum + pool.waiting, 0);
  if (!waiting) return "no client waits in a pool";
  const longest = Math.max(...all.map((pool) => pool.wait_seconds));
  return `${plural(waiting, "client waits", "clients wait")} in pools, the longest for ${duration(longest)}`;
}

function todo() {
  say($("todo"), view.to_do);
  keyed(
    $("alerts"),
    told(view),
    (alert) => JSON.stringify([alert.alertname, alert.severity, alert.about]),
    (alert) =>
      make(
        "li",
        { class: `alert ${alert.severity}` },
        make("p", { class: "summary" }, make("span", { class: "badge" }), " ", make("strong")),
        make("p", { class: "description" }),
        make("p", { class: "small" }, make("span", { class: "since" }), " · ", runbook(alert)),
      ),
    (element, alert) => {
      element.classList.toggle("over", alert.over);
      say(element.querySelector(".badge"), alert.over ? "over" : alert.severity);
      const over = `${alert.alertname}: its cause has been gone since ${clock(alert.told_at)}.`;
      say(element.querySelector("strong"), alert.over ? over : alert.summary);
      say(element.querySelector(".description"), description(view, alert));
      say(element.querySelector(".since"), `${alert.alertname} since ${clock(alert.since)}`);
    },
  );
}

function runbook(alert) {
  if (!/^https?:/.test(alert.runbook_url)) return make("span");
  const more = { href: alert.runbook_url, rel: "noreferrer", "aria-label": `Runbook of ${alert.alertname}` };
  return make("a", more, "Runbook");
}

// What a screen reader announces: changes of the state or the alerts, not each second's figures.
function news() {
  const alerts = told(view).filter((alert) => !alert.over).map((alert) => `${alert.severity}: ${alert.summary}`);
  const words = [`${target}: ${view.status.label}.`, ...alerts].join(" ");
  if (words === announced) return;
  announced = words;
  const known = capacity && !isBlind(view);
  say($("news"), known ? `${words} ${freeOf(view, capacity)} ${freeWords()}.` : words);
}

function curve() {
  if (!capacity) return;
  chart ??= new Chart($("curve"), $("readout"), $("stack-keys"));
  const now = view.sample.time;
  const span = Number(new FormData($("span-form")).get("span"));
  const first = history.points[0]?.time ?? now;
  const from = Math.max(now - span, Math.min(first, now - LEAST_SPAN));
  const { left } = capacity;
  const shown = now - from;
  const ahead = left ? Math.min(Math.max(left * 1.15, shown * 0.1), shown * 0.6) : shown * 0.03;
  chart.show(history, view, from, now, ahead);
  say($("curve-words"), curveWords(from, now, left));
  say($("learning"), sentence(view.status.history));
}

function sentence(words) {
  return words && `${words[0].toUpperCase()}${words.slice(1)}.`;
}

function curveWords(from, now, left) {
  let low = Infinity;
  let high = 0;
  history.since(from, now, (point) => {
    low = Math.min(low, point.low);
    high = Math.max(high, point.high);
  });
  if (low > high) return "No samples in this time range.";
  const { used, limit, many, whose } = capacity;
  const range = low === high ? `${low}` : `${low} to ${high}`;
  const then = left ? ` At this rate it is ${view.status.when}.` : "";
  const since = clock(Math.max(from, history.points[0].time), { seconds: false });
  const most = limit === null ? "there is no limit" : `${limit} is the limit for ${whose}`;
  return `Since ${since}, ${range} ${many} were in use; now ${used}, and ${most}.${then}`;
}

// Weeks ahead, and so in small print below the curve.
function planning() {
  const ahead = view.planning;
  $("planning").hidden = !ahead;
  if (!ahead) return;
  const each = Math.max(1, Math.round(ahead.growth_per_week));
  const grown = `they grew by ${each} a week for ${ahead.weeks} weeks, to ${ahead.peak} of ${ahead.limit}`;
  say($("planning"), `${ahead.words}: ${grown}.`);
}

const CELLS = ["connections", "states", "growth", "verdict", "oldest"];

function applications() {
  const now = view.sample?.time ?? 0;
  const from = Math.max(now - HOUR, Math.min(history.points[0]?.time ?? now, now - LEAST_SPAN));
  const most = Math.max(1, ...view.applications.map((one) => one.connections));
  const highest = history.highest(from, now);
  keyed($("applications"), view.applications, (one) => one.application_name, row, (tr, one) => {
    const states = Object.entries(one.states).sort((a, b) => b[1] - a[1]);
    const text = {
      connections: String(one.connections),
      states: states.map(([kind, count]) => `${count} ${kind}`).join(", "),
      growth: growth(one.growth_per_second),
      verdict: one.verdict,
      oldest: one.oldest_connection_seconds === null ? "–" : duration(one.oldest_connection_seconds),
    };
    for (const cell of CELLS) say(tr.querySelector(`.${cell} .is`), text[cell]);
    tr.querySelector(".bar").style.width = `${(100 * one.connections) / most}%`;
    tr.querySelector(".verdict").dataset.verdict = one.verdict;
    const climbs = one.climbing_seconds ? `for ${duration(one.climbing_seconds)}` : "";
    say(tr.querySelector(".climbs"), climbs);
    sparkline(tr.querySelector(".spark"), history, one.application_name, now, from, highest);
  });
  const old = view.sample ? now - view.applications_at : 0;
  const age = old < OLD_SECONDS ? "" : `, ${duration(Math.round(old))} ago`;
  say($("applications-heading"), `Applications${age}`);
  const other = view.applications_in_other;
  const rest = [
    view.unattributed ? `${plural(view.unattributed, "connection")} not told apart yet.` : "",
    other ? `“other” stands for ${plural(other, "more application")}.` : "",
  ];
  say($("rest"), rest.filter(Boolean).join(" "));
  say($("spark-heading"), now - from > HOUR - 60 ? "Last hour" : `Last ${roughly(now - from)}`);
}

function row(one) {
  const is = () => make("span", { class: "is" });
  const cell = (kind, ...children) => make("td", { role: "cell", class: kind }, ...children);
  return make(
    "tr",
    { role: "row" },
    make("th", { role: "rowheader", scope: "row", class: "name" }, make("bdi", {}, one.application_name)),
    cell("connections number", is(), make("span", { class: "bar", "aria-hidden": "true" })),
    cell("states", is()),
    cell("growth number", is()),
    cell("verdict", is(), " ", make("small", { class: "climbs" })),
    cell("oldest number", is()),
    cell("sparkline", makeSparkline()),
  );
}

function limits() {
  const { roles, databases } = view.limits;
  const uses = [
    ...roles.map((use) => ({ ...use, kind: "role" })),
    ...databases.map((use) => ({ ...use, kind: "database" })),
  ];
  $("limits").hidden = !uses.length;
  keyed(
    $("limit-list"),
    uses,
    (use) => `${use.kind} ${use.name}`,
    (use) =>
      make(
        "li",
        {},
        make("span", {}, make("span", { class: "kind" }, `${use.kind} `), make("bdi", {}, use.name)),
        make("span", { class: "track", "aria-hidden": "true" }, make("span", { class: "bar" })),
        make("span", { class: "is number" }),
      ),
    (element, use) => {
      const share = use.limit > 0 ? use.used / use.limit : 1;
      say(element.querySelector(".is"), `${use.used} of ${use.limit}`);
      element.querySelector(".bar").style.width = `${Math.min(100, 100 * share)}%`;
      set(element, { class: share >= 1 ? "critical" : share >= 0.8 ? "warning" : null });
    },
  );
}

function server() {
  const { server: facts, sample, knock, canary } = view;
  const rows = [];
  if (facts) {
    const started = clock(facts.started_at, { seconds: false });
    const standby = facts.in_recovery ? ", a standby" : "";
    rows.push(["PostgreSQL", `${facts.version}${standby}, up since ${started}`]);
    rows.push(["Watched as", `role ${facts.role}${sample.pooled ? ", through a pooler" : ""}`]);
  }
  if (view.pooler) rows.push(["Pooler", software(view)]);
  if (sample) {
    rows.push(["Newest sample", `${clock(sample.time)}, took ${Math.round(sample.duration_seconds * 1000)} ms`]);
    if (!sample.complete) {
      const lost = sample.exact ? "states and ages are unknown" : "counts are estimates, which never page";
      rows.push(["Incomplete", `the role may not see every session: ${lost}; grant it pg_monitor`]);
    }
  }
  if (knock) {
    const answer = knock.state === "ok" ? `answered in ${Math.round(knock.seconds * 1000)} ms` : knock.state;
    rows.push(["Newest knock", `${clock(knock.time)}, ${answer}${knock.detail && `: ${knock.detail}`}`]);
  }
  if (canary) {
    const answer = canary.state === "ok" ? `let in after ${Math.round(canary.seconds * 1000)} ms` : `not let in: ${canary.state}`;
    rows.push(["Newest canary login", `${clock(canary.time)}, ${answer}${canary.detail && `: ${canary.detail}`}`]);
  }
  keyed(
    $("server"),
    rows,
    ([key]) => key,
    ([key]) => make("div", {}, make("dt", {}, key), make("dd")),
    (element, [, words]) => say(element.querySelector("dd"), words),
  );
}

// How old the figures are, and since when the state is what it is.
function age() {
  if (!view) return;
  const now = daemonClock();
  const since = view.state_since ? `since ${clock(view.state_since, { seconds: false })}` : "";
  say($("since"), view.state === "ok" ? "" : since);
  say($("detail"), view.detail);
  if (document.body.classList.contains("is-lost")) return;
  const old = view.sample ? Math.max(0, now - view.sample.time) : 0;
  const fresh = view.sample ? `sample ${old < 1.5 ? "1 s" : duration(Math.round(old))} old` : "no sample yet";
  say($("pulse"), fresh);
  document.body.classList.toggle("is-stale", old > 10);
}
