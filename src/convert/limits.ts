/** Bounds that keep a text from costing more than its conversion is worth. */

/**
 * Elements of a list; looks at rules while it is made; chains that call each other; and pieces that it comes to, as each
 * pair of an accept and a later drop may need one.
 */
export const orderedLimits = { rules: 5000, looks: 1_000_000, depth: 64, pieces: 20_000 } as const;

/** The source goes beyond one of them. */
export class TooInvolved extends Error {}
