import { describe, expect, test } from 'vitest'
import { ChaosKind, planChaos } from './chaos-plan.ts'

const options = {
  seed: 7,
  kinds: Object.values(ChaosKind),
  nodes: 1_000,
  durationMs: 300_000,
  offlineAfterMs: 60_000,
}

describe('a plan of chaos', () => {
  test('is the same for the same seed, and another one for another', () => {
    expect(planChaos(options)).toEqual(planChaos(options))
    expect(planChaos({ ...options, seed: 8 })).not.toEqual(planChaos(options))
  })

  test('does not depend on the order in which the kinds are named', () => {
    expect(planChaos({ ...options, kinds: options.kinds.toReversed() })).toEqual(planChaos(options))
  })

  test('has every kind that was asked for once in each time that it takes to be offline, in the order of time', () => {
    const events = planChaos(options)
    for (const kind of options.kinds) expect(events.filter((event) => event.kind === kind)).toHaveLength(5)
    expect(events.map(({ atMs }) => atMs)).toEqual(events.map(({ atMs }) => atMs).toSorted((a, b) => a - b))
    expect(new Set(planChaos({ ...options, kinds: ['clone'] }).map(({ kind }) => kind))).toEqual(new Set(['clone']))
    expect(planChaos({ ...options, kinds: [] })).toEqual([])
  })

  test.each([1, 2, 3, 4, 5])(
    'with seed %i touches no node twice and never disturbs the control plane twice at once',
    (seed) => {
      const events = planChaos({ ...options, seed })
      const touched = events.flatMap((event) =>
        event.kind === 'partition' ? event.nodes : event.kind === 'clone' ? [event.node] : [],
      )
      expect(new Set(touched).size).toBe(touched.length)
      expect(touched.every((node) => node >= 0 && node < options.nodes)).toBe(true)
      const outages = events.filter((event) => event.kind === 'pause' || event.kind === 'restart')
      outages.forEach((event, at) => {
        const until = event.atMs + (event.kind === 'pause' ? event.forMs : 0)
        expect(until).toBeLessThan(outages[at + 1]?.atMs ?? options.durationMs)
      })
    },
  )

  test('of a fleet that is too small leaves out what has no node left', () => {
    const events = planChaos({ ...options, nodes: 1, kinds: ['partition', 'clone'] })
    expect(events).toMatchObject([{ kind: 'partition', nodes: [0] }])
  })
})
