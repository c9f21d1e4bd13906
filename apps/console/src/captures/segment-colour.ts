/** Colours that segments take in turn. */
export const COLOURS = 8

/** The class that colours a segment, the same wherever it shows. The label beside it tells segments apart; colour only helps. */
export const segmentClass = (segmentNo: number): string => `seg-${segmentNo % COLOURS}`
