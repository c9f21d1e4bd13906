import { SLOT_COUNT } from '../hash-slot.ts'

/**
 * A filter as a tree. Texts and globs are bytes read as Latin-1, so byte = code point. Numbers are inclusive bounds; an
 * open end is 0 or the largest number that the field has. {@link parseFilter} makes it, {@link printFilter} prints it.
 */
export type Filter =
  | { kind: 'and'; of: readonly Filter[] }
  | { kind: 'or'; of: readonly Filter[] }
  | { kind: 'not'; of: Filter }
  | FilterTerm

export type FilterTerm =
  /** Upper-case; a command without a subcommand stands for all of its subcommands. */
  | { kind: 'cmd'; verb: string; subcommand: string | null }
  /** A category of the server's access lists, lower-case without `@`. */
  | { kind: 'category'; name: string }
  | { kind: 'key'; glob: string }
  /** `index`: which argument, counted from 1 behind the command; null is any. */
  | { kind: 'arg'; index: number | null; glob: string }
  /** A part of the client's address as the server prints it. */
  | { kind: 'client'; text: string }
  /** The client's address lies in this network, such as `10.0.0.0/8`. */
  | { kind: 'network'; cidr: string }
  /** The db by its name, where the server prints names. */
  | { kind: 'namespace'; name: string }
  | { kind: 'db' | 'segment' | 'slot' | 'time'; from: number; to: number }
  | { kind: 'masked' | 'error'; is: boolean }

/** The largest number of each field that has a range. Times are in microseconds since 1970. */
export const RANGE_MAX = {
  db: 2 ** 31 - 1,
  segment: 2 ** 31 - 1,
  slot: SLOT_COUNT - 1,
  time: Number.MAX_SAFE_INTEGER,
} as const

/** A filter that cannot be used. The message begins with the column and says what was expected. */
export class FilterError extends Error {
  override readonly name = 'FilterError'
  /** Characters before the problem, plus one. */
  readonly column: number

  constructor(text: string, offset: number, problem: string) {
    const column = Array.from(text.slice(0, offset)).length + 1
    super(`column ${column}: ${problem}`)
    this.column = column
  }
}
