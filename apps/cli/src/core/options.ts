import { FilterError, parseFilter } from '@sonde/capture-format/filter'
import { uuidSchema } from '@sonde/contracts'
import { InvalidArgumentError, type Command } from 'commander'
import { parseDuration, parseSize } from '../print/units.ts'
import type { ConnectionFlags } from './settings.ts'

/** Options that every command with a connection has. */
export interface CommonFlags extends ConnectionFlags {
  json?: boolean
}

/** Adds the options of a command that calls the control plane, whatever the session. */
export const connectedAnywhere = (command: Command): Command =>
  command
    .option('--url <url>', 'control plane to call (SONDE_URL)')
    .option('--token <token>', 'token to call with; SONDE_TOKEN keeps it out of process lists')
    .option('--json', 'print JSON')

/** Adds the options of a command that calls the control plane in a session. */
export const connected = (command: Command): Command =>
  connectedAnywhere(command).option(
    '--session <session>',
    'id or name of the session (SONDE_SESSION; default: your oldest)',
  )

/** Adds the examples that the help of every command ends with. */
export const withExamples = (command: Command, ...lines: string[]): Command =>
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`)

const refuse = (message: string): never => {
  throw new InvalidArgumentError(message)
}

const parsedBy =
  (parse: (text: string) => number) =>
  (text: string): number => {
    try {
      return parse(text)
    } catch (error) {
      return refuse(error instanceof RangeError ? `${error.message}.` : String(error))
    }
  }

/** An option's value as milliseconds. */
export const durationValue = parsedBy(parseDuration)

/** An option's value as bytes. */
export const sizeValue = parsedBy(parseSize)

/** An option's value as a whole number within bounds. */
export const integerValue =
  (min: number, max: number) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text.replaceAll('_', '')) ? Number(text.replaceAll('_', '')) : Number.NaN
    return value >= min && value <= max ? value : refuse(`must be a whole number from ${min} to ${max}.`)
  }

/** An option's value as the text of a filter. */
export const filterValue = (text: string): string => {
  try {
    parseFilter(text)
    return text
  } catch (error) {
    return refuse(error instanceof FilterError ? `${error.message}.` : String(error))
  }
}

/** An option's value as numbers of segments, with commas between. */
export const segmentsValue = (text: string): string =>
  /^\d{1,4}(,\d{1,4})*$/.test(text) ? text : refuse('takes numbers, separated by commas: 0,2')

/** An argument that must be a UUID. */
export const idValue = (text: string): string => {
  const parsed = uuidSchema.safeParse(text)
  return parsed.success ? parsed.data : refuse('must be an id (a UUID).')
}

/** Collects an option that may be given several times. */
export const collect = (text: string, before: string[] | undefined): string[] => [...(before ?? []), text]
