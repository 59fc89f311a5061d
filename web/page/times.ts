/** Times in the middle of sentences. All times are as `Date.now()`. */

/** Return a time of day as people write it. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** Return whether a time is on the day of `now`. */
function isToday(at: number, now: number): boolean {
  return new Date(at).toDateString() === new Date(now).toDateString();
}

/** Return "at" an hour of today, or "on" another day. */
export function moment(at: number, now: number): string {
  return isToday(at, now) ? `at ${clock(at)}` : `on ${day(at, now, "long")}`;
}

/** Return "until" an hour of today or another day, as short as possible. */
export function until(at: number, now: number): string {
  return `until ${isToday(at, now) ? clock(at) : day(at, now, "short")}`;
}

function day(at: number, now: number, month: "long" | "short"): string {
  const isThisYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return new Date(at).toLocaleDateString([], { day: "numeric", month, ...(isThisYear ? {} : { year: "numeric" }) });
}

/** Return how long ago something was. */
export function ago(at: number, now: number): string {
  const minutes = Math.max(0, Math.round((now - at) / 60_000));
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  if (hours < 24) return hours === 1 ? "1 hour ago" : `${hours} hours ago`;
  const days = Math.round(hours / 24);
  return days === 1 ? "1 day ago" : `${days} days ago`;
}
