/** Places for names beside carets, where they cover no text and no other name. No screen: only numbers, in pixels. */
/** A row of text on the screen. */
export interface Row {
    readonly top: number;
    readonly bottom: number;
    /** Behind which nothing stands. */
    readonly end: number;
}
/** The part of the screen that names may use. */
export interface Room {
    /** The left edge, where the gutter begins, and how wide it is. */
    readonly left: number;
    readonly gutter: number;
    readonly right: number;
}
export interface Box {
    readonly row: Row;
    readonly left: number;
    readonly width: number;
}
/**
 * Return the place of a name `width` wide whose caret stands at `caret` in the first of `rows`; null: there is none.
 *
 * It is behind the text of its own row, or else of another of `rows`. Where the text of all reaches the right edge, it is
 * in the gutter, and may be narrower. `taken` are the places of other names.
 */
export declare function placeName(width: number, caret: number, rows: readonly Row[], room: Room, taken: readonly Box[]): Box | null;
