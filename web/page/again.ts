/** Requests that a server refuses for now, sent again. */

import { ApiError } from "./api.js";

/** Milliseconds for which a request is made again. */
export const PATIENCE_MS = 120_000;
/** Milliseconds of the shortest and of the longest pause before the part that is left to chance. */
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 8000;

/**
 * Ask, and ask again while the server refuses it for now, for two minutes at most. Rejects as `ask` does, and with the
 * reason of `signal` once that is aborted: nothing is asked or told after that.
 *
 * A pause is as long as the server wants, and longer each time; chance adds up to as much again, since at a bell hundreds
 * of pages wait. `tell` is told before each pause what to show.
 */
export async function untilTaken<Answer>(
  ask: () => Promise<Answer>,
  tell: (sentence: string) => void,
  signal?: AbortSignal,
): Promise<Answer> {
  const end = Date.now() + PATIENCE_MS;
  for (let least = FIRST_PAUSE_MS; ; least = Math.min(2 * least, LAST_PAUSE_MS)) {
    signal?.throwIfAborted();
    try {
      const answer = await ask();
      signal?.throwIfAborted();
      return answer;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof ApiError) || error.retryMs === null) throw error;
      const pause = Math.max(least, error.retryMs) * (1 + Math.random());
      if (Date.now() + pause > end) throw error;
      tell(`No codespace yet: ${error.message.replace("; try again later", "")}. This page tries again by itself.`);
      await new Promise((resolve) => {
        setTimeout(resolve, pause);
        signal?.addEventListener("abort", resolve, { once: true });
      });
    }
  }
}
