/** The state of a connection, as far as it is known. */
import type { Mode, Storage } from "./protocol.js";
export interface Status {
    /** `connecting` for the first time; `reconnecting` after that; `closed` for good, or by `close`. */
    readonly state: "connecting" | "connected" | "reconnecting" | "closed";
    readonly mode: Mode;
    /** Whether the server can store edits; while it cannot, they wait. */
    readonly storage: Storage;
    /** Reason why it cannot, as the server says it; null while it can, and where the server says none. */
    readonly storageReason: string | null;
    /** Edits that are not known to be committed. */
    readonly unsaved: number;
    /** Whether those would outlive this page. */
    readonly kept: boolean;
    /** Time of the last word of the server, in milliseconds since 1970; null before the first word. */
    readonly heardAt: number | null;
    /** Time until which a server that is well may be silent since then; null: for ever, or nobody knows yet. */
    readonly silentAt: number | null;
    /** Whether the browser says that there is no network; a server on this machine may be heard all the same. */
    readonly offline: boolean;
    /** Time of a question that the server has not answered, in milliseconds since 1970: nothing is certain since then. */
    readonly askedAt: number | null;
    /** Time since which a push waits for its answer, in milliseconds since 1970; null while none does. */
    readonly waitingSince: number | null;
    /** Time of the next attempt, in milliseconds since 1970, during a pause. */
    readonly retryAt: number | null;
    /** Reason for the end of the last connection, with the protocol's code; null before that and while connected. */
    readonly ended: {
        readonly code: number;
        readonly reason: string;
    } | null;
}
/** Whether the browser says that there is no network; where nothing says so, there is one. */
export declare function isOffline(): boolean;
