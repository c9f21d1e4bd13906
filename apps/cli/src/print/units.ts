const DURATIONS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZES: Record<string, number> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** A whole number of units, or undefined. */
const parseAmount = (text: string, units: Record<string, number>): number | undefined => {
  const match = /^(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]+)$/.exec(text)
  const unit = units[match?.[2] ?? '']
  if (match === null || unit === undefined) return undefined
  const amount = Math.round(Number(match[1]) * unit)
  return Number.isSafeInteger(amount) ? amount : undefined
}

/** `500ms`, `30s`, `1.5m`, `1h`, `90d` in milliseconds. Throws a RangeError that shows the form. */
export const parseDuration = (text: string): number => {
  const amount = parseAmount(text, DURATIONS)
  if (amount === undefined) throw new RangeError('a duration is a number and a unit: 500ms, 30s, 5m, 1h or 90d')
  return amount
}

/** `1KiB`, `50MiB`, `1GB` (decimal), or a plain number, in bytes. Throws a RangeError that shows the form. */
export const parseSize = (text: string): number => {
  const amount = parseAmount(/^\d+$/.test(text) ? `${text}B` : text, SIZES)
  if (amount === undefined) throw new RangeError('a size is a number and a unit: 1KiB, 50MiB or 1GB')
  return amount
}

/** Bytes for people: `12 B`, `1.5 KiB`, `50.0 MiB`. */
export const formatBytes = (bytes: number): string => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let amount = bytes
  let index = 0
  for (; amount >= 1023.95 && index < units.length - 1; index += 1) amount /= 1024
  return index === 0 ? `${amount} B` : `${amount.toFixed(1)} ${units[index]}`
}

/** A count for people: `1,234,567`. */
export const formatCount = (count: number): string => count.toLocaleString('en-US')

/** How many of a thing: `1 server`, `3 servers`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`

/** Milliseconds for people: `250 ms`, `20.0 s`, `5 m 03 s`, `2 h 05 m`, `3 d 04 h`. */
export const formatDuration = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${two((seconds % 3600) / 60)} m`
  return `${Math.floor(seconds / 86_400)} d ${two((seconds % 86_400) / 3600)} h`
}

/** An instant of the wire in the local zone, to the second: `2026-11-24 13:31:55`. */
export const formatInstant = (iso: string): string => {
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return iso
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}

/** Microseconds since 1970 as the time of day in the local zone: `13:31:55.123456`. */
export const formatEventTime = (eventUs: number): string => {
  const at = new Date(Math.floor(eventUs / 1000))
  const two = (value: number): string => String(value).padStart(2, '0')
  const micros = String(((eventUs % 1e6) + 1e6) % 1e6).padStart(6, '0')
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${micros}`
}
