// Keeps the last hour of one target, in the buckets that the daemon sends, oldest first.

const KEPT_SECONDS = 3700;

export class History {
  points = [];

  replace(points) {
    this.points = points;
  }

  // The newest buckets are sent repeatedly while they grow: the last version counts.
  add(recent) {
    if (!recent.length) return;
    const from = recent[0].time;
    let end = this.points.length;
    while (end && this.points[end - 1].time >= from) end -= 1;
    const last = this.points[end - 1];
    if (last && last.time + last.seconds > from) {
      this.points[end - 1] = { ...last, seconds: from - last.time };
    }
    this.points.length = end;
    this.points.push(...recent);
    const oldest = recent.at(-1).time - KEPT_SECONDS;
    while (this.points[0].time + this.points[0].seconds < oldest) this.points.shift();
  }

  // A longer pause than this between two buckets means that samples are missing.
  get longestPause() {
    const newest = this.points.slice(-20);
    const beats = newest.slice(1).map((point, index) => point.time - newest[index].time);
    beats.sort((one, other) => one - other);
    return Math.max(5, 3 * (beats[beats.length >> 1] ?? 1));
  }

  // The most connections that any application had since a time.
  highest(from, now) {
    let most = 0;
    this.since(from, now, ({ applications }) => {
      for (const count of Object.values(applications)) most = Math.max(most, count);
    });
    return most;
  }

  // Calls each(point, end, complete) for the buckets since a time; complete: no samples are missing after it.
  since(from, now, each) {
    const pause = this.longestPause;
    this.points.forEach((point, index) => {
      if (point.time + point.seconds < from) return;
      const next = this.points[index + 1];
      const after = next ? next.time : now;
      const complete = after - (point.time + point.seconds) <= pause;
      each(point, complete ? after : point.time + point.seconds, complete);
    });
  }
}
