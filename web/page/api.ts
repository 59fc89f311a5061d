/** The page's requests to the server over HTTP. */

import type { Mode } from "../client/index.js";

/** A server's "no", or none at all; the message is for people. */
export class ApiError extends Error {
  /** `status` is that of HTTP; 0 if there was no answer. `retryMs` is the pause before another try, where that may help. */
  constructor(
    readonly status: number,
    message: string,
    readonly retryMs: number | null = null,
  ) {
    super(message);
  }
}

export interface Link {
  readonly token: string;
  /** When it ends, in seconds since 1970. */
  readonly expires: number | null;
}

interface Made {
  readonly codespace: string;
  readonly edit: Link;
  readonly view_only: Link;
}

/** Make a codespace with a text in it. */
export function createCodespace(text: string): Promise<Made> {
  return post("codespaces", text ? { text } : {});
}

/** Make a link from a token; `seconds` is how long it works, null: as long as the codespace. */
export function createLink(token: string, mode: Mode, seconds: number | null): Promise<Link> {
  return post(`codespaces/${encodeURIComponent(token)}/links`, { mode, expires_in: seconds });
}

/** Milliseconds for an answer, and for each byte that leaves before it: a server gives up what comes more slowly. */
const ANSWER_MS = 15_000;
const BYTE_MS = 1 / 4;

async function post<Answer>(path: string, content: unknown): Promise<Answer> {
  const body = new TextEncoder().encode(JSON.stringify(content));
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
      signal: AbortSignal.timeout(ANSWER_MS + Math.ceil(body.length * BYTE_MS)),
    });
  } catch {
    throw new ApiError(0, "the server does not answer; try again");
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer as Answer;
  const reason = (answer as { reason?: unknown } | null)?.reason;
  const message = typeof reason === "string" ? reason : `the server answered ${response.status}`;
  throw new ApiError(response.status, message, retryMsOf(response));
}

/** Return the milliseconds after which a server that refuses for now may be asked again; null for other refusals. */
function retryMsOf(response: Response): number | null {
  if (response.status !== 429 && response.status !== 503) return null;
  return 1000 * (Number(response.headers.get("Retry-After")) || 1);
}
