// Draws all slots as a bar: in use, held by logins in progress, free, and reserved.

import { keyed, make, say, set } from "./dom.js";
import { plural } from "./words.js";

const PARTS = [
  ["used", "in use"],
  ["hidden", "logins in progress"],
  ["free", "free"],
  ["reserve", "reserve"],
  ["eaten", "reserve in use"],
];

// How many slots each part of the bar stands for; together they are max_connections.
function parts(slots) {
  const limit = slots.limit.ordinary;
  const notFree = slots.max_connections - slots.free.superuser;
  // While the server refuses us, more slots are in use than in the last sample.
  const taken = Math.max(slots.used, notFree, limit - slots.free.ordinary);
  const within = Math.min(taken, limit);
  const hidden = Math.min(slots.hidden, within);
  const eaten = taken - within;
  return {
    used: within - hidden,
    hidden,
    free: limit - within,
    eaten,
    reserve: Math.max(0, slots.max_connections - limit - eaten),
  };
}

export function gauge(box, slots) {
  const sizes = parts(slots);
  const order = ["used", "hidden", "free", "eaten", "reserve"].filter((kind) => sizes[kind] > 0);
  keyed(
    box,
    order,
    (kind) => kind,
    (kind) => make("span", { class: `part ${kind}` }),
    (element, kind) => {
      element.style.flexGrow = sizes[kind];
      if (box.classList.contains("gauge")) say(element, `${sizes[kind]}`);
    },
  );
  const words = PARTS.filter(([kind]) => sizes[kind]).map(([kind, name]) => `${sizes[kind]} ${name}`);
  const summary = `${words.join(", ")}; ${plural(slots.max_connections, "slot")} in all`;
  if (box.getAttribute("role") !== "meter") set(box, { "aria-label": summary });
  else {
    set(box, {
      "aria-valuenow": sizes.used + sizes.hidden + sizes.eaten,
      "aria-valuemax": slots.max_connections,
      "aria-valuetext": summary,
    });
  }
}

export function legend(list, slots) {
  const sizes = parts(slots);
  const { superuser, reserved, provider } = slots.reserve;
  const reserves = [
    superuser && `${superuser} for superusers`,
    reserved && `${reserved} for pg_use_reserved_connections`,
    provider && `${provider} the provider's`,
  ].filter(Boolean);
  const peak = slots.peak["5m"];
  const rows = [
    ["used", "In use", sizes.used, peak === null ? "" : `at most ${peak} in the last 5 min`],
    ["hidden", "Logins in progress", sizes.hidden, "each holds a slot"],
    ["free", "Free", sizes.free, `of ${slots.limit.ordinary} for ordinary roles`],
    ["reserve", "Reserve", sizes.reserve, reserves.join(", ")],
    ["eaten", "Reserve in use", sizes.eaten, "ordinary roles are refused"],
  ].filter(([kind, , size]) => size > 0 || !["hidden", "eaten"].includes(kind));
  keyed(
    list,
    rows,
    ([kind]) => kind,
    ([kind]) => make("div", { class: kind }, make("dt"), make("dd", {}, make("b"), make("small"))),
    (element, [, name, size, more]) => {
      say(element.querySelector("dt"), name);
      say(element.querySelector("b"), String(size));
      say(element.querySelector("small"), more);
    },
  );
}
