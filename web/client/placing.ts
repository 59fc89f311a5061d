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

/** Pixels between text and a name, and between two names. */
const GAP = 8;
const BETWEEN = 4;

/**
 * Return the place of a name `width` wide whose caret stands at `caret` in the first of `rows`; null: there is none.
 *
 * It is behind the text of its own row, or else of another of `rows`. Where the text of all reaches the right edge, it is
 * in the gutter, and may be narrower. `taken` are the places of other names.
 */
export function placeName(
  width: number,
  caret: number,
  rows: readonly Row[],
  room: Room,
  taken: readonly Box[],
): Box | null {
  for (const [index, row] of rows.entries()) {
    const beside = index === 0 ? 0 : Math.min(caret, room.right - width);
    let left = Math.max(row.end + GAP, beside);
    for (const box of inRow(row, taken))
      if (left < box.left + box.width + BETWEEN && box.left < left + width + BETWEEN)
        left = box.left + box.width + BETWEEN;
    if (left + width <= room.right) return { row, left, width };
  }
  for (const row of rows) {
    const isFree = inRow(row, taken).every((box) => box.left >= room.left + room.gutter);
    if (isFree && room.gutter > 0) return { row, left: room.left, width: Math.min(width, room.gutter) };
  }
  return null;
}

/** Return the boxes that share some height with a row, from left to right. */
function inRow(row: Row, taken: readonly Box[]): Box[] {
  return taken
    .filter((box) => box.row.top < row.bottom && row.top < box.row.bottom)
    .sort((one, other) => one.left - other.left);
}
