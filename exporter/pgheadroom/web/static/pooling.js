// Shows through whom a server's slots are held, and whether all pools fit.

import { $, keyed, listed, make, named, say, set, targetLink } from "./dom.js";
import { plural } from "./words.js";

// `pooling` is null of a pooler, and of a server without poolers.
export function pooling(pooling, root) {
  $("through").hidden = !pooling;
  if (!pooling) return;
  keyed($("poolers"), pooling.poolers, (use) => use.pooler, (use) => row(targetLink(use.pooler, root)), (tr, use) => {
    say(tr.querySelector(".now .is"), number(use.pooled, "unknown"));
    say(tr.querySelector(".may .is"), number(use.committed, "any number"));
    say(tr.querySelector(".may small"), basis(use));
    say(tr.querySelector(".ceiling .is"), number(use.ceiling, "any number"));
    const unbounded = use.ceiling === null && use.unbounded_by;
    say(tr.querySelector(".ceiling small"), unbounded ? `set ${use.unbounded_by}` : "");
    listed(tr.querySelector(".queue .is"), use.waiting, queue, "nobody");
  });
  direct(pooling);
  verdict(pooling);
}

const number = (count, unknown) => (count === null ? unknown : String(count));

function basis({ pools, reserve, replicas }) {
  const words = [`by ${plural(pools, "pool")}`];
  if (replicas > 1) words.push(`in ${replicas} processes`);
  if (reserve) words.push(`${reserve} of them reserve`);
  return words.join(", ");
}

function queue({ application_name: name, clients }) {
  return make("span", {}, named(name), ` ${clients}`);
}

function direct({ direct, direct_highest: highest }) {
  const known = highest || direct !== null;
  say($("direct-now"), number(direct, "unknown"));
  say($("direct-most"), known ? String(highest) : "unknown");
}

function verdict({ overcommitted: over, verdict }) {
  const words = over === null ? "nothing bounds it" : over ? `over by ${over}` : "fits";
  set($("verdict"), { class: over === 0 ? "verdict-line" : "verdict-line warning" });
  say($("verdict-badge"), words);
  say($("verdict-words"), verdict);
}

function row(link) {
  const cell = (kind, label, ...more) => {
    const shown = make("span", { class: "label", "aria-hidden": "true" }, `${label} `);
    return make("td", { role: "cell", class: kind }, shown, make("span", { class: "is" }), ...more);
  };
  return make(
    "tr",
    { role: "row" },
    make("th", { role: "rowheader", scope: "row", class: "name" }, link),
    cell("now", "slots now"),
    cell("may", "may open", " ", make("small")),
    cell("ceiling", "ceiling", " ", make("small")),
    cell("queue", "queueing:"),
  );
}
