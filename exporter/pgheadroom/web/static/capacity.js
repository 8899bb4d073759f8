// What an ordinary client runs out of, in one shape: slots of a server, places of a pooler.

const NOUNS = {
  postgres: { one: "slot", many: "slots", whose: "applications", holders: "Connections" },
  pgbouncer: { one: "place", many: "places for clients", whose: "clients", holders: "Clients" },
};

// What to call it, and for whom it is; known before the first sample.
export const nouns = (view) => NOUNS[view.kind] ?? NOUNS.postgres;

// Null before the first sample; `limit`, `free` and `all` are null where nothing limits it.
export function capacityOf(view) {
  if (!view.capacity) return null;
  const { used, limit, logins, peak } = view.capacity;
  const common = { ...nouns(view), used, logins, peak, left: view.forecast.exhaustion_seconds.ordinary ?? null };
  if (view.slots) return { ...common, ...ofServer(view.slots) };
  // A refusal is news: it counts more than the last sample.
  const free = view.standing === "full" ? 0 : view.capacity.free;
  const taken = limit === null ? used : Math.max(used, limit - free);
  return { ...common, limit, free, all: limit, taken, reserves: [], others: [] };
}

function ofServer(slots) {
  const { superuser, reserved, provider } = slots.reserve;
  const limit = slots.limit.ordinary;
  const free = slots.free.ordinary;
  const all = slots.max_connections;
  return {
    limit,
    free,
    all,
    // While the server refuses us, more slots are in use than in the last sample.
    taken: Math.max(slots.used, all - slots.free.superuser, limit - free),
    // For whom the reserve is, and how many slots each of them can still get.
    reserves: [
      superuser && `${superuser} for superusers`,
      reserved && `${reserved} for pg_use_reserved_connections`,
      provider && `${provider} the provider's`,
    ].filter(Boolean),
    others: [
      reserved && `${slots.free.reserved} for reserved roles`,
      `${slots.free.superuser} for superusers`,
    ].filter(Boolean),
  };
}
