/** Hints of the browser: the network has come or gone, the page is seen, hidden, or about to go. */
/** Call `onHint` at each hint, and `onHide` when the page goes; return what ends that. Outside of browsers there are none. */
export declare function hearHints(onHint: () => void, onHide: () => void): () => void;
