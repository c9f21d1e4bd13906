import type { Timeline } from './timeline-buckets.ts'

const GAP_PX = 1

interface Plot {
  timeline: Timeline
  /** The highest sum of a bucket, in lines. */
  peak: number
  colourOf: (segmentNo: number) => string
}

/** Draws the segments of each bucket upon each other, over the whole canvas. */
export const drawTimeline = (canvas: HTMLCanvasElement, { timeline, peak, colourOf }: Plot): void => {
  const context = canvas.getContext('2d')
  if (!context) return
  const { clientWidth, clientHeight } = canvas
  const scale = devicePixelRatio
  canvas.width = Math.round(clientWidth * scale)
  canvas.height = Math.round(clientHeight * scale)
  context.scale(scale, scale)
  const { segments, bucketCount } = timeline
  const width = clientWidth / bucketCount
  for (let index = 0; index < bucketCount; index += 1) {
    let bottom = clientHeight
    for (const { segmentNo, lines } of segments) {
      const height = peak === 0 ? 0 : ((lines[index] ?? 0) / peak) * clientHeight
      context.fillStyle = colourOf(segmentNo)
      context.fillRect(index * width, bottom - height, Math.max(1, width - GAP_PX), height)
      bottom -= height
    }
  }
}
