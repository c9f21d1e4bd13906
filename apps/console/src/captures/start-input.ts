import { CAPTURE_LIMITS, type CaptureStartInput, type Scope } from '@sonde/contracts'

/** What the form holds, as it was typed. */
export interface StartFields {
  scope: 'primaries' | 'cluster' | 'targets'
  /** Of the scope `cluster`. */
  clusterId: string
  targetIds: readonly string[]
  seconds: string
  /** MiB; empty for the server's default. */
  mebibytes: string
  /** Empty for the server's default. */
  lines: string
  require: 'any' | 'quorum' | 'all'
  reason: string
}

export const EMPTY_FIELDS: StartFields = {
  scope: 'primaries',
  clusterId: '',
  targetIds: [],
  seconds: String(CAPTURE_LIMITS.durationMs.default / 1000),
  mebibytes: '',
  lines: '',
  require: 'any',
  reason: '',
}

export type StartProblems = Partial<Record<keyof StartFields, string>>

const numberIn = (text: string, { min, max }: { min: number; max: number }, unit: string): number | string => {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) return 'Type a number.'
  return value < min || value > max ? `From ${min} to ${max.toLocaleString('en')} ${unit}.` : value
}

/** Of a longer capture one is asked whether it is meant, in milliseconds. */
export const LONG_MS = 300_000

const scopeOf = ({ scope, clusterId, targetIds }: StartFields): Scope => {
  switch (scope) {
    case 'primaries':
      return { kind: 'primaries' }
    case 'cluster':
      return { kind: 'cluster', clusterId }
    case 'targets':
      return { kind: 'targets', targetIds: [...targetIds] }
  }
}

/** The start that the fields ask for, or what is wrong with each. The role's own bounds are the server's to say. */
export const readFields = (
  fields: StartFields,
  sessionId: string,
): { input: CaptureStartInput; problems: undefined } | { input: undefined; problems: StartProblems } => {
  const { durationMs, byteCap, lineCap } = CAPTURE_LIMITS
  const problems: StartProblems = {}
  const read = (name: 'seconds' | 'mebibytes' | 'lines', bounds: { min: number; max: number }, unit: string) => {
    const value = numberIn(fields[name], bounds, unit)
    if (typeof value === 'number') return value
    problems[name] = value
    return 0
  }
  const seconds = read('seconds', { min: durationMs.min / 1000, max: durationMs.owner / 1000 }, 'seconds')
  const mebibytes =
    fields.mebibytes.trim() === ''
      ? undefined
      : read('mebibytes', { min: byteCap.min / 2 ** 20, max: byteCap.owner / 2 ** 20 }, 'MiB')
  const lines =
    fields.lines.trim() === '' ? undefined : read('lines', { min: lineCap.min, max: lineCap.owner }, 'lines')
  if (fields.scope === 'targets' && fields.targetIds.length === 0) problems.targetIds = 'Choose at least one target.'
  if (fields.scope === 'cluster' && fields.clusterId === '') problems.clusterId = 'Choose a cluster.'
  if (Object.keys(problems).length > 0) return { input: undefined, problems }
  const reason = fields.reason.trim()
  return {
    problems: undefined,
    input: {
      sessionId,
      scope: scopeOf(fields),
      require: fields.require,
      durationMs: Math.round(seconds * 1000),
      ...(mebibytes !== undefined && { byteCap: Math.round(mebibytes * 2 ** 20) }),
      ...(lines !== undefined && { lineCap: Math.round(lines) }),
      ...(reason !== '' && { reason }),
    },
  }
}
