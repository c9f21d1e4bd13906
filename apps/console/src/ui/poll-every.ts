const SHORTEST_MS = 2_000
const ROW_MS = 2

/** How often a list is read again, in milliseconds: every 2 s up to 1,000 rows, and rarer in step with more, so that reading 10,000 rows is not all that a page does. */
export const pollEveryMs = (rows: number): number => Math.max(SHORTEST_MS, rows * ROW_MS)
