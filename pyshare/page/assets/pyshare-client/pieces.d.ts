/** Frames that come in pieces, so that a long one is seen to arrive. */
/** Puts the pieces of one frame after the other together; one for each connection. */
export declare class Pieces {
    #private;
    /**
     * Return the frame that a message completes; null if more pieces follow.
     *
     * @throws SyntaxError if the message is not text, or stands between the pieces of a frame.
     */
    add(message: unknown): string | null;
}
