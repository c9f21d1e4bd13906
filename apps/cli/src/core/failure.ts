import { SondeError } from '@sonde/contracts'
import { CommanderError } from 'commander'
import { plainJson, plainText } from '../print/plain-text.ts'

/** What `sonde` ends with; `sonde --help` and docs/cli.md explain them. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  notAuthorized: 4,
  captureNotWhole: 5,
  interrupted: 130,
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** Arguments or settings that cannot be used; the message says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Ctrl-C, or a signal that asks to stop. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  constructor() {
    super('Interrupted')
  }
}

/** Something on this machine failed: a file, a port, a process. `lines` are its own last words. */
export class LocalFailure extends Error {
  override readonly name = 'LocalFailure'
  readonly lines: readonly string[]
  constructor(message: string, options: { lines?: readonly string[]; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.lines = options.lines ?? []
  }
}

/** A failure as it is shown. */
export interface Failure {
  code: string
  message: string
  exitCode: ExitCode
  requestId?: string
  details?: Record<string, unknown>
  lines?: readonly string[]
}

const exitCodeOf = (code: string): ExitCode => {
  if (code.startsWith('auth.') || code.endsWith('.permission_denied')) return ExitCode.notAuthorized
  // A session that is not there and one of somebody else are not told apart; nodes of either are `permission_denied`.
  if (code === 'session.not_found') return ExitCode.notAuthorized
  if (code === 'control_plane.unreachable') return ExitCode.unreachable
  return code === 'request.invalid' ? ExitCode.usage : ExitCode.failed
}

interface HeldTarget {
  host: string
  port: number
  /** Null when that capture has ended since. */
  heldBy: string | null
}

/** Which capture holds each of several targets that a start could not have, and how to end those. The message names the first. */
const holderLines = ({ targets }: Record<string, unknown>): string[] => {
  const held = (Array.isArray(targets) ? targets : []) as HeldTarget[]
  const lines = held.flatMap(({ host, port, heldBy }) =>
    heldBy === null ? [] : [`${host}:${port} is held by capture ${heldBy}`],
  )
  const holders = [...new Set(held.flatMap(({ heldBy }) => heldBy ?? []))]
  return [...(lines.length > 1 ? lines : []), ...holders.map((id) => `To end it: sonde capture stop ${id}`)]
}

/** What to say and to end with when something was thrown. */
export const failureOf = (thrown: unknown): Failure => {
  if (thrown instanceof SondeError) {
    const { requestId, ...details } = thrown.details ?? {}
    return {
      code: thrown.code,
      message: thrown.message,
      exitCode: exitCodeOf(thrown.code),
      ...(typeof requestId === 'string' && { requestId }),
      ...(Object.keys(details).length > 0 && { details }),
      ...(thrown.code === 'capture.target_busy' && { lines: holderLines(details) }),
    }
  }
  if (thrown instanceof UsageError || thrown instanceof CommanderError) {
    // What commander throws after it has printed the help that a missing command gets.
    const missing = thrown instanceof CommanderError && thrown.code === 'commander.help'
    const message = missing ? 'A command is missing.' : thrown.message.replace(/^error: /, '').replaceAll('\n', ' ')
    return { code: 'usage', message, exitCode: ExitCode.usage }
  }
  if (thrown instanceof Interrupted) {
    return { code: 'interrupted', message: 'Interrupted', exitCode: ExitCode.interrupted }
  }
  if (thrown instanceof LocalFailure) {
    return { code: 'local', message: thrown.message, exitCode: ExitCode.failed, lines: thrown.lines }
  }
  const { message, code } = fileFailure(thrown)
  return { code, message, exitCode: ExitCode.failed }
}

const FILE_FAILURES: Record<string, string> = {
  ENOSPC: 'There is no space left on the disk. Free some, then try again',
  EDQUOT: 'The disk quota is used up. Free some space, then try again',
  EACCES: 'This user may not use that file or folder',
  EPERM: 'This user may not do that',
  EROFS: 'That file system can only be read',
  ENOENT: 'There is no such file or folder',
  ENOTDIR: 'A part of that path is a file, not a folder',
  EISDIR: 'That is a folder, not a file',
  ELOOP: 'That is a loop of links, not a file',
  EPIPE: 'Its reader went away',
}

/** The words for an error of the operating system; other errors keep their own. */
const fileFailure = (thrown: unknown): { code: string; message: string } => {
  if (!(thrown instanceof Error)) return { code: 'cli.unexpected', message: String(thrown) }
  const { code, path } = thrown as NodeJS.ErrnoException
  const words = FILE_FAILURES[code ?? '']
  if (code === undefined || words === undefined) return { code: 'cli.unexpected', message: thrown.message }
  return { code, message: path === undefined ? `${words}.` : `${words}: ${path}` }
}

/** A failure as the lines of standard error; texts are made plain. */
export const formatFailure = (failure: Failure, options: { json: boolean; help?: string }): string => {
  const { code, message, requestId, details, lines } = failure
  if (options.json) return plainJson({ error: { code, message, requestId, details } })
  const request = requestId === undefined ? '' : `  request: ${plainText(requestId)}`
  const second = code === 'usage' ? (options.help === undefined ? [] : [`See: ${options.help} --help`]) : undefined
  const local = code === 'local' || code === 'cli.unexpected'
  return [
    `error: ${plainText(message)}`,
    ...(lines ?? []).map((line) => `  ${plainText(line)}`),
    ...(second ?? (local ? [] : [`code: ${plainText(code)}${request}`])),
  ].join('\n')
}
