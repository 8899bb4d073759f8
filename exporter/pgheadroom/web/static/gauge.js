// Draws a capacity as a bar: in use, held by logins in progress, free, and reserved.

import { keyed, make, say, set } from "./dom.js";
import { plural } from "./words.js";

const PARTS = [
  ["used", "in use"],
  ["hidden", "logins in progress"],
  ["free", "free"],
  ["reserve", "reserve"],
  ["eaten", "reserve in use"],
];
const ORDER = ["used", "hidden", "free", "eaten", "reserve"];

// How much each part of the bar stands for; together they are all there is.
function parts({ limit, all, taken, logins }) {
  const within = limit === null ? taken : Math.min(taken, limit);
  const hidden = Math.min(logins, within);
  const eaten = taken - within;
  return {
    used: within - hidden,
    hidden,
    free: limit === null ? 0 : limit - within,
    eaten,
    reserve: limit === null ? 0 : Math.max(0, all - limit - eaten),
  };
}

// The bar alone; with figures in it if it is large enough for them.
export function bar(box, capacity) {
  const sizes = parts(capacity);
  keyed(
    box,
    ORDER.filter((kind) => sizes[kind] > 0),
    (kind) => kind,
    (kind) => make("span", { class: `part ${kind}` }),
    (element, kind) => {
      element.style.flexGrow = sizes[kind];
      if (box.classList.contains("gauge")) say(element, `${sizes[kind]}`);
    },
  );
}

export function gauge(box, capacity) {
  bar(box, capacity);
  const sizes = parts(capacity);
  const { one, many, all } = capacity;
  const words = PARTS.filter(([kind]) => sizes[kind]).map(([kind, name]) => `${sizes[kind]} ${name}`);
  const total = all === null ? `any number of ${many}` : `${plural(all, one)} in all`;
  const summary = `${words.join(", ")}; ${total}`;
  if (box.getAttribute("role") !== "meter") set(box, { "aria-label": summary });
  else {
    const taken = sizes.used + sizes.hidden + sizes.eaten;
    set(box, { "aria-valuenow": taken, "aria-valuemax": all ?? taken, "aria-valuetext": summary });
  }
}

export function legend(list, capacity) {
  const sizes = parts(capacity);
  const { one, limit, whose, reserves } = capacity;
  const peak = capacity.peak["5m"];
  const shown = { used: true, free: limit !== null, reserve: reserves.length > 0 || sizes.reserve > 0 };
  const rows = [
    ["used", "In use", sizes.used, peak === null ? "" : `at most ${peak} in the last 5 min`],
    ["hidden", "Logins in progress", sizes.hidden, `each holds a ${one}`],
    ["free", "Free", sizes.free, `of ${limit} for ${whose}`],
    ["reserve", "Reserve", sizes.reserve, reserves.join(", ")],
    ["eaten", "Reserve in use", sizes.eaten, `${whose} are refused`],
  ].filter(([kind, , size]) => size > 0 || shown[kind]);
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
