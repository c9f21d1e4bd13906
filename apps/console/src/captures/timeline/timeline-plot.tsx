import { useEffect, useRef, useState, type PointerEvent } from 'react'
import { useStore } from '../../ui/store.ts'
import { theme } from '../../ui/theme.ts'
import type { TimeRange } from '../capture-view.ts'
import { COLOURS, segmentClass } from '../segment-colour.ts'
import { drawTimeline } from './draw-timeline.ts'
import { rangeBetween, type Timeline } from './timeline-buckets.ts'

/** Pixels that the pointer has to move before it chooses a time. */
const SHORTEST_BRUSH_PX = 4

interface TimelinePlotProps {
  timeline: Timeline
  /** The highest sum of a bucket, in lines. */
  peak: number
  /** What it shows, for those who do not see it. */
  label: string
  range: TimeRange | undefined
  onRange: (range: TimeRange) => void
  /** The bucket under the pointer; undefined when there is none. */
  onPoint: (index: number | undefined) => void
}

/** The timeline as columns; drawing over it with the pointer chooses a time. */
export const TimelinePlot = ({ timeline, peak, label, range, onRange, onPoint }: TimelinePlotProps) => {
  const box = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const colours = useRef<HTMLSpanElement>(null)
  const [brush, setBrush] = useState<readonly [number, number] | null>(null)
  const size = useSize(box)
  const chosenTheme = useStore(theme)
  const isDark = useMedia('(prefers-color-scheme: dark)')
  useEffect(() => {
    if (!canvas.current || !colours.current) return
    const shown = Array.from(colours.current.children, (each) => getComputedStyle(each).color)
    drawTimeline(canvas.current, { timeline, peak, colourOf: (segmentNo) => shown[segmentNo % COLOURS] ?? 'gray' })
  }, [timeline, peak, size, chosenTheme, isDark])

  const placeOf = ({ clientX }: PointerEvent): number => {
    const { left = 0, width = 1 } = box.current?.getBoundingClientRect() ?? {}
    return Math.min(1, Math.max(0, (clientX - left) / width))
  }
  const onMove = (event: PointerEvent) => {
    const place = placeOf(event)
    onPoint(Math.min(timeline.bucketCount - 1, Math.floor(place * timeline.bucketCount)))
    if (brush) setBrush([brush[0], place])
  }
  const onUp = () => {
    const pixels = brush ? Math.abs(brush[1] - brush[0]) * (box.current?.clientWidth ?? 0) : 0
    if (brush && pixels >= SHORTEST_BRUSH_PX) onRange(rangeBetween(timeline, brush))
    setBrush(null)
  }
  const { startUs, bucketUs, bucketCount } = timeline
  const placeAt = (us: number) => Math.min(1, Math.max(0, (us - startUs) / (bucketUs * bucketCount)))
  const marked = brush ?? (range && ([placeAt(range.from), placeAt(range.to)] as const))
  return (
    <div
      ref={box}
      className="timeline-plot"
      onPointerDown={(event) => {
        if (event.button !== 0) return
        event.currentTarget.setPointerCapture(event.pointerId)
        setBrush([placeOf(event), placeOf(event)])
      }}
      onPointerMove={onMove}
      onPointerUp={onUp}
      onPointerCancel={() => setBrush(null)}
      onPointerLeave={() => onPoint(undefined)}
    >
      <canvas ref={canvas} role="img" aria-label={label} />
      {marked && (
        <div
          className="timeline-range"
          style={{
            left: `${Math.min(...marked) * 100}%`,
            width: `${Math.abs(marked[1] - marked[0]) * 100}%`,
          }}
        />
      )}
      <span ref={colours} hidden>
        {Array.from({ length: COLOURS }, (_, index) => (
          <i key={index} className={`swatch ${segmentClass(index)}`} />
        ))}
      </span>
    </div>
  )
}

/** The width of an element in pixels, as it changes. */
const useSize = (element: { readonly current: HTMLElement | null }): number => {
  const [width, setWidth] = useState(0)
  useEffect(() => {
    if (!element.current) return
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 0))
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [element])
  return width
}

const useMedia = (query: string): boolean => {
  const [matches, setMatches] = useState(() => matchMedia(query).matches)
  useEffect(() => {
    const list = matchMedia(query)
    const listen = () => setMatches(list.matches)
    list.addEventListener('change', listen)
    return () => list.removeEventListener('change', listen)
  }, [query])
  return matches
}
