/** Names of people: only names, whatever others have put into them. */
/** Return a name as it can be shown on one line; empty if nothing of it would be seen. */
export declare function plainName(name: string): string;
