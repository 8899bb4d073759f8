// Is the daemon still there? Hears its events, asks again when it falls silent, and says so.

import { $, say } from "./dom.js";
import { clock } from "./words.js";

const SILENT_MS = 3500; // an event is due each second
const RETRY_MS = 3000;
const LOOK_MS = 500;
const HIDDEN_MS = 15000;

// Calls heard[kind](data) for each event of the stream, and heard.glance(data) with the JSON at
// `glance` now and then while nobody looks: a hidden page gives its connection back, because a
// browser has six for a host. Returns a clock that goes like the daemon's.
export function listen(stream, glance, heard) {
  let source = null;
  let openedAt = 0;
  let heardAt = performance.now();
  let glancedAt = 0;
  let skew = 0;

  const noted = (now) => {
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
        noted(data.now);
        heard[kind]?.(data);
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
        noted();
        heard.glance(await answer.json());
        return;
      }
    } else if (!source) {
      heardAt = now; // it was not listened to
      open();
    } else if (now - heardAt > SILENT_MS && now - openedAt > RETRY_MS) {
      open();
    }
    if (now - heardAt > SILENT_MS + (document.hidden ? HIDDEN_MS : 0)) lose(now);
  };

  const lose = (now) => {
    const since = clock((Date.now() - (now - heardAt)) / 1000);
    say($("lost"), `Lost the daemon since ${since}. The figures are as of then.`);
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
