import { Profile } from '@sonde/capture-format/profile'
import type { AnalysisDiff, ComparedTarget } from '@sonde/contracts'
import { caveatsOf } from './caveats.ts'
import { compareKeys } from './compare-keys.ts'
import { compareSizes, compareTables } from './compare-table.ts'
import { exposureOf, showSide, type Side, type SideTarget } from './side.ts'

/** What differs between two sides, by rates: an exchange of the sides exchanges `a` and `b` in it and changes nothing else. */
export const compareSides = (a: Side, b: Side, limit: number): AnalysisDiff => {
  const seconds = { a: exposureOf(a), b: exposureOf(b) }
  const sidesOf = (name: 'shapes' | 'verbs' | 'clients' | 'dbs' | 'prefixes' | 'keys') => ({
    a: { table: a.profile[name], seconds: seconds.a },
    b: { table: b.profile[name], seconds: seconds.b },
  })
  const tableOf = (name: 'shapes' | 'verbs' | 'clients' | 'dbs' | 'prefixes') =>
    compareTables(name, sidesOf(name), limit)
  return {
    same: false,
    a: showSide(a),
    b: showSide(b),
    caveats: caveatsOf(a, b),
    shapes: tableOf('shapes'),
    verbs: tableOf('verbs'),
    clients: tableOf('clients'),
    dbs: tableOf('dbs'),
    prefixes: tableOf('prefixes'),
    keys: compareKeys(sidesOf('keys'), limit),
    sizes: compareSizes(sidesOf('shapes'), limit),
    targets: compareTargets(a, b),
  }
}

const compareTargets = (a: Side, b: Side): ComparedTarget[] => {
  const shown = (target: SideTarget | undefined) =>
    target ? { lines: target.lines, seconds: target.seconds, perSecond: target.lines / target.seconds } : null
  const find = ({ targets }: Side, id: string) => targets.find(({ targetId }) => targetId === id)
  const all = new Map([...a.targets, ...b.targets].map((target) => [target.targetId, target]))
  return [...all.keys()].toSorted().map((targetId) => {
    const [ofA, ofB] = [find(a, targetId), find(b, targetId)]
    const { target, shard } = nameOf(ofA, ofB)
    return { targetId, target, shard, a: shown(ofA), b: shown(ofB) }
  })
}

/** Of two names of a target the one that sorts last, so that the sides may be exchanged. */
const nameOf = (a: SideTarget | undefined, b: SideTarget | undefined): SideTarget => {
  const [first, second] = [a ?? b, b ?? a]
  if (!first || !second) throw new Error('a target is of one side at least')
  return `${first.target} ${first.shard}` > `${second.target} ${second.shard}` ? first : second
}

/** The answer for a capture against itself. */
export const sameCapture = (side: Side): AnalysisDiff => {
  const empty = { captures: [], profile: new Profile(), targets: [], leftOut: null }
  return { ...compareSides(empty, empty, 1), same: true, caveats: [], a: showSide(side), b: showSide(side) }
}
