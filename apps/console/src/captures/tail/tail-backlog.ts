/** Lines from before the call that a tail of a running capture begins with. */
export const TAIL_BACKLOG = 10_000
