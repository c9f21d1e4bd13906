/** Chunks that share a profile: a segment of 5 million lines, about a thousand chunks, has four. */
export const BLOCK_CHUNKS = 256
