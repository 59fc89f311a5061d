/** What the page asks of the server over HTTP. */

import type { Mode } from "../client/index.js";

/** A server's "no", or none at all; the message is for people. */
export class ApiError extends Error {
  /** `status` is that of HTTP; 0 if there was no answer. */
  constructor(
    readonly status: number,
    message: string,
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

async function post<Answer>(path: string, body: unknown): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    throw new ApiError(0, "the server does not answer; try again");
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer as Answer;
  const reason = (answer as { reason?: unknown } | null)?.reason;
  throw new ApiError(response.status, typeof reason === "string" ? reason : `the server answered ${response.status}`);
}
