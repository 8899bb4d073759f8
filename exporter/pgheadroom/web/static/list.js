// Shows several targets: a row each, worst first.

import { capacityOf } from "./capacity.js";
import { $, keyed, make, say, targetLink } from "./dom.js";
import { gauge } from "./gauge.js";
import { listen, mood } from "./live.js";
import { clock, colour, freeOf, isBlind, isFull, plural, software, told } from "./words.js";

const { root } = document.documentElement.dataset;
const api = `${root}api/v1`;
const WORST = ["critical", "warning", "recovering", "unknown", "rising", "steady"];
const MOODS = { steady: "ok", recovering: "warning" };

const views = new Map();
let order = [];
let announced = "";

listen(`${api}/stream`, `${api}/targets`, {
  targets: (data) => {
    if (data.whole) views.clear();
    for (const view of data.targets) views.set(view.target, view);
    // Rows keep their order while the pointer or the focus is on them.
    const inUse = $("targets").matches(":hover, :focus-within");
    if (data.order && (!inUse || data.order.length !== order.length)) order = data.order;
    show();
  },
  glance: (data) => {
    for (const view of data.targets) views.set(view.target, view);
    order = data.targets.map((view) => view.target);
    show();
  },
});

function show() {
  const shown = order.map((target) => views.get(target));
  const count = (condition) => shown.filter((view) => view.status.condition === condition).length;
  const worst = WORST.find(count) ?? "steady";
  const full = shown.filter(isFull);
  mood(MOODS[worst] ?? worst, root);
  document.body.classList.toggle("is-full", full.length > 0);
  const tally = WORST.map((condition) => [count(condition), condition]).filter(([number]) => number);
  const words = tally.map(([number, condition]) => `${number} ${condition}`).join(", ");
  say($("tally"), `${plural(shown.length, "target")}: ${words}`);
  say($("pulse"), "live");
  const lead = full.length ? `FULL ${full[0].target}` : words;
  document.title = `${lead} · pgheadroom`;
  const now = shown.filter((view) => view.severity !== "ok").map((view) => `${view.target}: ${view.status.label}.`);
  const news = [words, ...now.slice(0, 5)].join(". ");
  if (news !== announced) say($("news"), (announced = news));
  keyed($("targets"), shown, (view) => view.target, row, update);
}

function row(view) {
  const cell = (kind, ...children) => make("td", { role: "cell", class: kind }, ...children);
  return make(
    "tr",
    { role: "row" },
    make("th", { role: "rowheader", scope: "row", class: "name" }, targetLink(view.target, root), make("small")),
    cell("state", make("span", { class: "badge" }), " ", make("span", { class: "is" }), make("small")),
    cell("slots", make("div", { class: "mini", role: "img" })),
    cell("free number", make("strong"), make("small")),
    cell("until"),
    cell("who"),
    cell("alerts"),
  );
}

function update(tr, view) {
  const { condition, label, when } = view.status;
  tr.dataset.severity = colour(view);
  say(tr.querySelector(".badge"), condition);
  say(tr.querySelector(".state .is"), label === condition ? "" : label);
  const since = view.state !== "ok" && view.state_since ? ` since ${clock(view.state_since, { seconds: false })}` : "";
  say(tr.querySelector(".state small"), since);
  say(tr.querySelector(".name small"), software(view));
  const capacity = capacityOf(view);
  const mini = tr.querySelector(".mini");
  mini.hidden = !capacity;
  if (capacity) gauge(mini, capacity);
  say(tr.querySelector(".free strong"), freeOf(view, capacity));
  const seen = isBlind(view) ? ", last seen" : "";
  say(tr.querySelector(".free small"), capacity && capacity.limit !== null ? ` of ${capacity.limit}${seen}` : seen);
  say(tr.querySelector(".until"), when);
  // While all is well, the application that merely holds most is not shown.
  const takes = view.taker && (view.taker.took || view.alerts.length || isFull(view));
  say(tr.querySelector(".who"), takes ? view.taker.application_name : "");
  const [first, ...more] = told(view).filter((alert) => !alert.over);
  say(tr.querySelector(".alerts"), first ? first.summary + (more.length ? ` And ${more.length} more.` : "") : "");
}
