import { expect, test } from 'vitest'
import { FAULTS, planFaults } from './fault-plan.ts'

test('a plan follows from its seed, has every kind once before any comes again, and kills one primary', () => {
  const options = { seed: 5, shards: 3, ms: 120_000 }
  const plan = planFaults(options)
  expect(planFaults(options)).toEqual(plan)
  expect(planFaults({ ...options, seed: 6 })).not.toEqual(plan)
  expect(plan.length).toBeGreaterThan(2 * FAULTS.length)
  expect(plan.slice(0, FAULTS.length).map(({ kind }) => kind)).toHaveLength(new Set(FAULTS).size)
  expect(new Set(plan.slice(0, FAULTS.length).map(({ kind }) => kind))).toEqual(new Set(FAULTS))
  expect(plan.filter(({ kind }) => kind === 'primary killed')).toHaveLength(1)
  for (const [at, fault] of plan.entries()) {
    expect(fault.shard).toBeLessThan(3)
    expect(fault.atMs).toBeGreaterThan((plan[at - 1]?.atMs ?? 0) + (plan[at - 1]?.forMs ?? 0))
  }
})
