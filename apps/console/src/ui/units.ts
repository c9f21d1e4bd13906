const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** 1234567 as `1,234,567`. */
export const formatCount = (count: number): string => whole.format(count)

/** Bytes in binary units, as `1.5 MiB`. */
export const formatBytes = (bytes: number): string => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  return `${power === 0 || value >= 100 ? whole.format(value) : value.toFixed(1)} ${units[power]}`
}

/** Milliseconds as `850 ms`, `12.3 s`, `4 min 5 s`, `2 h 3 min`. */
export const formatDuration = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`
  const minutes = Math.floor(ms / 60_000)
  const seconds = Math.floor((ms % 60_000) / 1000)
  if (minutes < 60) return seconds === 0 ? `${minutes} min` : `${minutes} min ${seconds} s`
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** How long ago, as `now`, `12 s ago`, `3 min ago`, `5 h ago`, `2 d ago`; `in 4 s` for what is to come. */
export const formatAge = (ms: number): string => {
  const age = Math.abs(ms)
  if (age < 2000) return 'now'
  const steps: [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ]
  const [size, unit] = steps.find(([each]) => age >= each) ?? [1000, 's']
  const text = `${Math.floor(age / size)} ${unit}`
  return ms >= 0 ? `${text} ago` : `in ${text}`
}

/** Local time of day of a line, to the microsecond. */
export const formatEventTime = (eventUs: number): string => {
  if (eventUs < 0) return '--:--:--'
  const at = new Date(Math.floor(eventUs / 1000))
  const two = (value: number) => String(value).padStart(2, '0')
  const micros = String(eventUs % 1_000_000).padStart(6, '0')
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${micros}`
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' })

/** An instant in full, with its zone. */
export const formatInstant = (instant: string): string => exact.format(new Date(instant))

/** The reader's zone by name. */
export const zoneName = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone

/** The part of an id that tells it from its neighbours. */
export const shortId = (id: string): string => (id.startsWith('node-') ? id.slice(0, 13) : id.slice(-8))
