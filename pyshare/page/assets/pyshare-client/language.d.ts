/** The language in which the text is shown: a choice for all who are here, of which the newest holds. */
import type { ClientFrame, Mode } from "./protocol.js";
export declare class SharedLanguage {
    #private;
    /** `onLanguage` is called with each language that is told, and the public id of who chose it; empty: long ago. */
    constructor(onLanguage: (name: string, id: string) => void);
    /** The language that holds, or will when it is sent; empty: none was chosen. */
    get name(): string;
    choose(name: string): void;
    /** Take what a welcome tells; older servers tell, and take, no language. */
    welcome(name: string | undefined, mode: Mode): void;
    receive(name: string, id: string): void;
    /** Return the choice to be sent now, if any. */
    next(): ClientFrame | null;
}
