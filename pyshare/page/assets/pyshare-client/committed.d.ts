/** The committed text, and its way from a base: the base is long and changes seldom, so that it is stored apart. */
import { ChangeSet, Text } from "@codemirror/state";
/** A base as a string, and the changes since then as `ChangeSet.toJSON()`; null: none. */
export interface Based {
    readonly base: string;
    readonly since: unknown;
}
export declare class Committed {
    #private;
    get text(): Text;
    /** Take a text that came whole. */
    set(text: Text): void;
    change(changes: ChangeSet): void;
    /** Return the text in two parts; the base is the same string as before, as long as it can be. */
    based(): Based;
    /**
     * Take up a text in two parts.
     *
     * @throws RangeError if they do not fit one another; nothing is changed then.
     */
    restore({ base, since }: Based): void;
}
