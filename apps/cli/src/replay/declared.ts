import { MonitorLine, parseMonitorLine, printMonitorLine } from '@sonde/capture-format'
import { CATEGORIES, compileFilter, parseFilter, type LinePredicate } from '@sonde/capture-format/filter'
import { UsageError } from '../core/failure.ts'

/** What means something else, or hangs, when it is sent on a connection that all clients share. */
const NEVER = ['admin', 'blocking', 'connection', 'pubsub', 'transaction'] as const
/** Part of a category, and sent only when they are named. */
const NAMED_ONLY = ['dangerous', 'scripting'] as const

const anyOf = (categories: readonly string[]): string => categories.map((name) => `cmd:@${name}`).join(' or ')

/** Whether a command belongs to what was compiled. */
export type CommandTest = (args: readonly Uint8Array[]) => boolean

const line = new MonitorLine()

const commandTest = (filter: string): CommandTest => {
  const parsed = parseFilter(filter)
  const test: LinePredicate = parsed === null ? () => false : compileFilter(parsed, { segmentNo: 0 })
  return (args) => {
    // A category or a command is told by two words at most.
    const bytes = printMonitorLine({ eventUs: 0, db: '0', source: '', args: args.slice(0, 2) })
    return test(line, parseMonitorLine(bytes, 0, bytes.length, line))
  }
}

/** Whether a command is never sent, whatever is declared. */
export const isNeverSent: CommandTest = commandTest(anyOf(NEVER))

/** Whether a command writes. One that is not known is taken to write. */
export const mayWrite: CommandTest = (() => {
  const isRead = commandTest('cmd:@read not cmd:@write')
  return (args) => !isRead(args)
})()

/**
 * Compiles the commands that may be sent: names, with subcommands as `object|encoding`, and categories as `@read`, with commas between. Of a
 * category what is dangerous or runs scripts is left out. Throws a UsageError for a name that cannot be one, an unknown category, and what is never
 * sent.
 */
export const compileDeclared = (text: string): CommandTest => {
  const terms = text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
    .map(termOf)
  if (terms.length === 0)
    throw new UsageError('--commands takes names and categories, with commas between: get,mget,@write')
  return commandTest(terms.join(' or '))
}

const termOf = (word: string): string => {
  if (!/^@?[a-z][a-z0-9._-]*(\|[a-z0-9._-]+)?$/i.test(word)) {
    throw new UsageError(`--commands: ${JSON.stringify(word)} is neither a command nor a category such as @read.`)
  }
  const category = word.startsWith('@') ? word.slice(1).toLowerCase() : undefined
  if (category !== undefined && !CATEGORIES.includes(category)) {
    throw new UsageError(`--commands: there is no category ${word}. Categories are @${CATEGORIES.join(', @')}.`)
  }
  const args = word.split('|').map((part) => new TextEncoder().encode(part))
  if (category === undefined ? isNeverSent(args) : (NEVER as readonly string[]).includes(category)) {
    throw new UsageError(
      `--commands: ${word} is never sent: it is about a connection, waits, or changes the server itself.`,
    )
  }
  if (category === undefined) return `cmd:${word}`
  const isNamed = (NAMED_ONLY as readonly string[]).includes(category)
  return isNamed ? `cmd:@${category}` : `(cmd:@${category} not (${anyOf(NAMED_ONLY)}))`
}
