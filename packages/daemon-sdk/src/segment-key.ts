/** Names one segment of one capture. */
export const segmentKey = ({ captureId, segmentNo }: { captureId: string; segmentNo: number }): string =>
  `${captureId}/${segmentNo}`
