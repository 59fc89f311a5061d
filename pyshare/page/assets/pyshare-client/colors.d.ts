/** The colours by which people are told apart. */
import type { Peer } from "./protocol.js";
/**
 * The colours of clients: a line or a name on it, and the same for dark backgrounds. White on the first and black on
 * the second have a contrast of 4.5 or more (WCAG 2.2, 1.4.3).
 */
export declare const COLORS: readonly {
    readonly light: string;
    readonly dark: string;
}[];
/** Somebody who is here, with the number of a colour in `COLORS`. */
export interface PresentPeer extends Peer {
    readonly color: number;
    /** Whether they were here when this client came. */
    readonly wasHere: boolean;
}
/**
 * Gives each who is here a colour that nobody else has, as long as there are any, and lets them keep it. After that, each
 * colour has about as many people as any other.
 *
 * As a rule it is the same on all screens: it follows from the public id.
 */
export declare class Palette {
    #private;
    /** Take it that these are here, and nobody else. */
    assign(ids: Iterable<string>): void;
    /** Return the colour of somebody who is here. */
    of(id: string): number;
}
