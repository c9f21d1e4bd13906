import { Caveat, type Capture, type ComparedCaveat } from '@sonde/contracts'
import type { Side } from './side.ts'

const distinct = (values: Iterable<string | null>): string | null => {
  const texts = [...new Set(values)].flatMap((value) => value ?? []).toSorted()
  return texts.length === 0 ? null : texts.join(', ')
}

const ofCaptures = (side: Side, textOf: (capture: Capture) => string | null): string | null =>
  distinct(side.captures.map(textOf))

/** What a side must have in common with the other one. */
const SETTINGS: readonly { kind: Caveat; of: (side: Side) => string | null }[] = [
  {
    kind: Caveat.policy,
    of: (side) => ofCaptures(side, ({ policyLevel, policyRevision }) => `${policyLevel} (revision ${policyRevision})`),
  },
  {
    kind: Caveat.redactionKey,
    of: (side) =>
      side.profile.masked === 0
        ? null
        : distinct(side.captures.flatMap(({ segments }) => segments.map(({ redactionKey }) => redactionKey))),
  },
  { kind: Caveat.filter, of: (side) => ofCaptures(side, ({ filter }) => filter) },
  {
    kind: Caveat.sampling,
    of: (side) => ofCaptures(side, ({ sampling }) => sampling && `1 of ${sampling.every} by ${sampling.by}`),
  },
]

/** What a side should not have at all. */
const FLAWS: readonly { kind: Caveat; of: (side: Side) => string | null }[] = [
  { kind: Caveat.coverage, of: (side) => coverageOf(side) },
  {
    kind: Caveat.running,
    of: ({ captures }) => (captures.some(({ status }) => status === 'running') ? 'still running' : null),
  },
  {
    kind: Caveat.uncounted,
    of: ({ captures, profile }) => {
      const left = captures.reduce((sum, { lineCount }) => sum + lineCount, 0) - profile.lines
      return left > 0 ? `${left} lines are not counted yet` : null
    },
  },
  { kind: Caveat.empty, of: ({ profile }) => (profile.lines === 0 ? 'no lines' : null) },
  { kind: Caveat.window, of: ({ leftOut }) => leftOut },
]

const coverageOf = ({ captures }: Side): string | null => {
  const segments = captures.flatMap((capture) => capture.segments)
  const whole = segments.filter(({ storage }) => storage === 'complete').length
  const dropped = segments.reduce((sum, { counters }) => sum + counters.dropped, 0)
  const gaps = segments.flatMap((segment) => segment.gaps)
  const seconds = gaps.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1000
  const parts = [
    ...(whole < segments.length ? [`${whole} of ${segments.length} segments are stored whole`] : []),
    ...(dropped > 0 ? [`${dropped} lines were dropped`] : []),
    ...(gaps.length > 0 ? [`${gaps.length} gaps of ${seconds} s in all`] : []),
  ]
  return parts.length === 0 ? null : parts.join('; ')
}

const settingsOf = (a: Side, b: Side): ComparedCaveat[] =>
  SETTINGS.map(({ kind, of }) => ({ kind, a: of(a), b: of(b) })).filter((each) => each.a !== each.b)

const targetsOf = (a: Side, b: Side): ComparedCaveat[] => {
  const idsOf = ({ targets }: Side) => distinct(targets.map(({ targetId }) => targetId))
  const namesOf = ({ targets }: Side) => distinct(targets.map(({ target }) => target))
  return idsOf(a) === idsOf(b) ? [] : [{ kind: Caveat.targets, a: namesOf(a), b: namesOf(b) }]
}

/** What makes two sides less than comparable. With the sides exchanged the texts are, too. */
export const caveatsOf = (a: Side, b: Side): ComparedCaveat[] => {
  const isCompared = a.captures.length > 0 && b.captures.length > 0
  const settings = isCompared ? [...settingsOf(a, b), ...targetsOf(a, b)] : []
  const flaws = FLAWS.map(({ kind, of }) => ({ kind, a: of(a), b: of(b) }))
  return [...settings, ...flaws.filter((each) => each.a !== null || each.b !== null)]
}
