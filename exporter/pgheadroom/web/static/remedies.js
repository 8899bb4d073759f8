// Shows statements to copy, each with what it does; and who waits for a lock, and on whom.

import { $, keyed, make, named, say } from "./dom.js";
import { duration, plural } from "./words.js";

export function remedies(all) {
  $("remedies").hidden = !all.length;
  keyed($("remedy-list"), all, (one) => `${one.label}\n${one.statement}`, remedy, () => {});
}

function remedy({ label, does, statement }) {
  const text = make("pre", { tabindex: "0", "aria-label": label }, statement);
  const copy = make("button", { type: "button" }, "Copy");
  copy.addEventListener("click", () => taken(text, copy));
  return make(
    "li",
    {},
    make("details", {}, make("summary", {}, label), make("p", { class: "small" }, does), text, copy),
  );
}

// The clipboard is for pages of https and of this machine only; elsewhere the text is selected.
async function taken(text, button) {
  let copied = false;
  try {
    await navigator.clipboard.writeText(text.textContent);
    copied = true;
  } catch {
    getSelection().selectAllChildren(text);
  }
  say(button, copied ? "Copied" : "Selected: press Ctrl+C");
}

export function blockers(found, now) {
  $("blockers-section").hidden = !found;
  if (!found) return;
  const old = Math.max(0, now - found.time);
  const age = old < 3 ? "" : `, ${duration(Math.round(old))} ago`;
  say($("blockers-heading"), `Locks: ${plural(found.waiting, "session waits", "sessions wait")}${age}`);
  const more = found.looked_at < found.waiting ? "at least " : "";
  keyed(
    $("blockers"),
    found.roots,
    (root) => `${root.pid} ${root.kind}`,
    () => make("li", { class: "blocker" }, make("p"), make("p", { class: "small" })),
    (element, root) => {
      const [who, whom] = element.children;
      const client = root.kind === "client backend";
      who.replaceChildren(
        make("strong", {}, named(client ? root.application_name || "unnamed" : root.kind)),
        ` (pid ${root.pid}${root.role && `, role ${root.role}`}${root.database && `, database ${root.database}`})`,
        root.state && ` is ${root.state}`,
        root.transaction_seconds === null ? "" : ` for ${duration(Math.round(root.transaction_seconds))}`,
        ` and blocks ${more}${plural(root.blocks, "session")}.`,
      );
      const names = Object.entries(root.applications).map(([name, count]) => `${count} ${name}`);
      say(whom, `${names.join(", ")}; the longest wait is ${duration(Math.round(root.longest_wait_seconds))}.`);
    },
  );
}
