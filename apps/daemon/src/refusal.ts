import { CAPTURE_LIMITS, type CommandResult } from '@sonde/contracts'
import { OWN_CEILINGS } from './config.ts'
import { rulesOf } from './line-redaction.ts'
import { compileSelection } from './line-selection.ts'
import type { OpenCommand } from './segment.ts'

export type Refused = Extract<CommandResult, { kind: 'refused' }>

/** A command that is not done, with the words of who refused. */
export const refused = (code: string, detail: string): Refused => ({
  kind: 'refused',
  code,
  detail: detail.slice(0, 1024),
})
/** What this host does not do whatever the control plane asks; null where all is within its bounds. */
export const refusalOf = (command: OpenCommand): Refused | null => {
  const { durationMs, chunk, slice, policyRevision } = command
  const bounds: readonly (readonly [name: string, value: number, min: number, max: number])[] = [
    ['durationMs', durationMs, CAPTURE_LIMITS.durationMs.min, OWN_CEILINGS.durationMs],
    ['slice.bytes', slice.bytes, 0, OWN_CEILINGS.bytes],
    ['slice.lines', slice.lines, 0, OWN_CEILINGS.lines],
    ['chunk.bytes', chunk.bytes, 1024, OWN_CEILINGS.chunkBytes],
    ['chunk.maxLineBytes', chunk.maxLineBytes, 1024, OWN_CEILINGS.lineBytes],
    ['chunk.ms', chunk.ms, 10, 60_000],
    ['chunk.lines', chunk.lines, 1, 1_000_000],
  ]
  for (const [name, value, min, max] of bounds) {
    if (!(Number.isInteger(value) && value >= min && value <= max)) {
      return refused(
        'monitor_open_failed',
        `${name} ${value} is not within ${min} to ${max}, the bounds of this daemon`,
      )
    }
  }
  try {
    compileSelection(command)
  } catch (error) {
    return refused('monitor_open_failed', `this daemon cannot use the filter: ${String(error)}`)
  }
  if (rulesOf(command) !== undefined) return null
  return refused('policy_not_applied', `this daemon does not know the redaction policy of revision ${policyRevision}`)
}
