import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { LocalFailure } from '../core/failure.ts'

/** A log that has grown past this is set aside at the next start; the one set aside before goes. */
const ROTATE_BYTES = 16 * 2 ** 20
/** Where in the code something was thrown is for the log, not for a message. */
const STACK_LINE = /^\s+at /
const TAIL_BYTES = 64 * 1024
const LINE_LENGTH = 500

/** Where a child writes to, and where its own output begins. */
export interface LogFile {
  path: string
  /** Descriptor to hand to the child; close it afterwards. */
  descriptor: number
  startsAt: number
}

/** Opens a log to append to, for its owner's eyes. */
export const openLog = (path: string): LogFile => {
  if (existsSync(path) && statSync(path).size > ROTATE_BYTES) renameSync(path, `${path}.old`)
  const descriptor = openSync(path, 'a', 0o600)
  return { path, descriptor, startsAt: fstatSync(descriptor).size }
}

/** A line of a JSON log as a person reads it: its message and its error; other lines as they are. */
export const readableLogLine = (line: string): string => {
  try {
    const { msg, err } = JSON.parse(line) as { msg?: unknown; err?: { message?: unknown } }
    const words = [msg, err?.message].filter((each) => typeof each === 'string')
    return words.length > 0 ? words.join(': ') : line
  } catch {
    return line
  }
}

/** Below pino's level `warn`. */
const isRoutine = (line: string): boolean => {
  const level = /^\{"level":(\d{1,3}),/.exec(line)?.[1]
  return level !== undefined && Number(level) < 40
}

const shortened = (line: string): string => (line.length > LINE_LENGTH ? `${line.slice(0, LINE_LENGTH - 1)}…` : line)

/** Why a process is gone, with the end of its log as the lines. */
export const failureWithLog = (why: string, log: Pick<LogFile, 'path' | 'startsAt'>): LocalFailure => {
  const lines = lastLines(log)
  return new LocalFailure(
    `${why} ${lines.length > 0 ? `The end of its log, ${log.path}:` : `Its log is ${log.path}.`}`,
    { lines },
  )
}

/** The last lines that a child has written, for an error message; routine ones only when there are no others. */
export const lastLines = ({ path, startsAt }: Pick<LogFile, 'path' | 'startsAt'>, count = 6): string[] => {
  const descriptor = openSync(path, 'r')
  try {
    const { size } = fstatSync(descriptor)
    const from = Math.max(startsAt, size - TAIL_BYTES)
    const buffer = Buffer.alloc(Math.max(0, size - from))
    readSync(descriptor, buffer, 0, buffer.length, from)
    const text = buffer.toString('utf8')
    // What comes before the first line break began outside of the part that was read.
    const firstBreak = text.indexOf('\n')
    const whole = from === startsAt ? text : firstBreak === -1 ? '' : text.slice(firstBreak + 1)
    const lines = whole.split('\n').filter((line) => line.trim() !== '' && !STACK_LINE.test(line))
    const telling = lines.filter((line) => !isRoutine(line))
    return (telling.length > 0 ? telling : lines).slice(-count).map((line) => shortened(readableLogLine(line)))
  } finally {
    closeSync(descriptor)
  }
}
