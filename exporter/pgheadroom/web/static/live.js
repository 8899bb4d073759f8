// Listens to the daemon's events, reconnects when they stop, and says when the daemon is lost.

import { $, say } from "./dom.js";
import { clock } from "./words.js";

const SILENT_MS = 3500; // an event is due each second
const RETRY_MS = 3000;
const LOOK_MS = 500;
const HIDDEN_MS = 15000;

// Calls handlers[kind](data) for each event of the stream. While the page is hidden it polls
// `glance` and calls handlers.glance(data) with the JSON: a hidden page closes its connection,
// because a browser has only six for a host. Returns a function that tells the daemon's time.
export function listen(stream, glance, handlers) {
  let source = null;
  let openedAt = 0;
  let heardAt = performance.now();
  let glancedAt = 0;
  let skew = 0;

  const alive = (now) => {
    heardAt = performance.now();
    if (now) skew = now - Date.now() / 1000;
    $("lost").hidden = true;
    document.body.classList.remove("is-lost");
  };

  const open = () => {
    openedAt = performance.now();
    source?.close();
    source = new EventSource(stream);
    for (const kind of ["beat", "history", "target", "targets"]) {
      source.addEventListener(kind, (event) => {
        const data = JSON.parse(event.data);
        alive(data.now);
        handlers[kind]?.(data);
      });
    }
  };

  const look = async () => {
    const now = performance.now();
    if (document.hidden) {
      source?.close();
      source = null;
      if (now - glancedAt < HIDDEN_MS) return;
      glancedAt = now;
      const answer = await fetch(glance).catch(() => null);
      if (answer?.ok) {
        alive();
        handlers.glance(await answer.json());
        return;
      }
    } else if (!source) {
      heardAt = now; // nothing was listening until now
      open();
    } else if (now - heardAt > SILENT_MS && now - openedAt > RETRY_MS) {
      open();
    }
    if (now - heardAt > SILENT_MS + (document.hidden ? HIDDEN_MS : 0)) lose(now);
  };

  const lose = (now) => {
    const since = clock((Date.now() - (now - heardAt)) / 1000);
    say($("lost"), `No connection to the daemon since ${since}. The figures are as of then.`);
    $("lost").hidden = false;
    document.body.classList.add("is-lost");
    document.title = `LOST · ${document.title.replace(/^LOST · /, "")}`;
  };

  open();
  setInterval(look, LOOK_MS);
  document.addEventListener("visibilitychange", look);
  return () => Date.now() / 1000 + skew;
}

// The colour of the page, and of its tab.
export function mood(severity, root) {
  document.body.dataset.severity = severity;
  const icon = `${root}static/${severity}.svg`;
  if ($("icon").getAttribute("href") !== icon) $("icon").setAttribute("href", icon);
}
