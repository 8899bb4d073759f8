// Shows the pools of a pooler: how full each is, who waits, and what is paused.

import { $, keyed, listed, make, named, say, set, targetLink } from "./dom.js";
import { bar } from "./gauge.js";
import { duration, plural } from "./words.js";

const MOST_NAMES = 10;
const CELLS = ["servers", "clients", "waiting", "wait"];

// `pooler` is null of a server, and before the first sample.
export function pools(pooler, root) {
  $("pools-section").hidden = !pooler;
  if (!pooler) return;
  const stopped = new Set(pooler.paused_databases);
  stops(pooler);
  keyed($("pools"), pooler.pools, (pool) => JSON.stringify([pool.database, pool.role]), row, (tr, pool) => {
    const wait = pool.waiting || pool.wait_seconds ? duration(pool.wait_seconds) : "–";
    const text = { servers: connections(pool), clients: pool.clients, waiting: pool.waiting, wait };
    for (const cell of CELLS) say(tr.querySelector(`.${cell} .is`), String(text[cell]));
    say(tr.querySelector(".mode .is"), pool.mode || "–");
    set(tr, { "data-waits": pool.waiting ? "yes" : null });
    tr.querySelector(".badge").hidden = !stopped.has(pool.database);
    const mini = tr.querySelector(".mini");
    mini.hidden = pool.size === null;
    if (pool.size !== null) bar(mini, capacityOfPool(pool));
  });
  $("pools-table").hidden = !pooler.pools.length;
  const more = pooler.more_pools;
  const none = "There is no pool yet: the first client of a database and role makes one.";
  say($("pools-more"), pooler.pools.length ? (more ? `${plural(more, "pool")} more, less busy.` : "") : none);
  const serves = pooler.serves ? pooler.serves.split(",") : [];
  listed($("serves"), serves, (target) => targetLink(target, root), "no target that is watched, as far as is known");
  say($("wait-timeout"), waitTimeout(pooler));
}

function stops({ paused, paused_databases: databases }) {
  $("paused-all").hidden = !paused;
  $("paused-some").hidden = !databases.length;
  listed($("paused-names"), databases.slice(0, MOST_NAMES), named);
  const more = databases.length - MOST_NAMES;
  say($("paused-more"), more > 0 ? ` and ${more} more` : "");
}

function connections({ server_connections: count, size, reserve }) {
  if (size === null) return `${count}, no limit`;
  return reserve ? `${count} of ${size} + ${reserve} reserve` : `${count} of ${size}`;
}

function capacityOfPool({ server_connections: taken, size, reserve }) {
  return { taken, limit: size, all: size + reserve, logins: 0 };
}

function waitTimeout({ wait_timeout_seconds: seconds, limits_from_settings: unknown }) {
  if (seconds !== null) return `${duration(seconds)} (query_wait_timeout), then it is disconnected`;
  // An exporter does not tell this setting.
  return unknown ? "unknown: its exporter does not tell query_wait_timeout" : "without end: query_wait_timeout is off";
}

function row(pool) {
  const is = () => make("span", { class: "is" });
  const label = (text) => make("span", { class: "label", "aria-hidden": "true" }, `${text} `);
  const cell = (kind, ...children) => make("td", { role: "cell", class: kind }, ...children);
  const stopped = make("span", { class: "badge stopped", hidden: "" }, "paused or disabled");
  return make(
    "tr",
    { role: "row" },
    make("th", { role: "rowheader", scope: "row", class: "name" }, named(pool.database), " ", stopped),
    cell("role name", label("as"), named(pool.role)),
    cell("mode", is()),
    cell("servers", is(), make("div", { class: "mini", "aria-hidden": "true" })),
    cell("clients number", label("clients"), is()),
    cell("waiting number", label("waiting"), is()),
    cell("wait number", label("longest"), is()),
  );
}
