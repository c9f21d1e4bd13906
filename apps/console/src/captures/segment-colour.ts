const COLOURS = 8

/** The class that colours a segment, the same in its table and its lines. The label beside it tells segments apart; colour only helps. */
export const segmentClass = (segmentNo: number): string => `seg-${segmentNo % COLOURS}`
