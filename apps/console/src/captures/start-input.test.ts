import { captureStartInput } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { EMPTY_FIELDS, readFields, type StartFields } from './start-input.ts'

const SESSION = '01930f2e-7c1a-7a00-8000-0123456789ab'
const read = (fields: Partial<StartFields>) => readFields({ ...EMPTY_FIELDS, ...fields }, SESSION)

test('an untouched form asks for all primaries and leaves the caps to the server', () => {
  expect(read({}).input).toEqual({
    sessionId: SESSION,
    scope: { kind: 'primaries' },
    require: 'any',
    durationMs: 30_000,
  })
})

test('what was typed is asked for, in a form that the server takes', () => {
  const { input } = read({
    scope: 'targets',
    targetIds: [SESSION],
    seconds: '0.5',
    mebibytes: '1.5',
    lines: '1000',
    require: 'all',
    reason: '  why  ',
  })
  expect(input).toEqual({
    sessionId: SESSION,
    scope: { kind: 'targets', targetIds: [SESSION] },
    require: 'all',
    durationMs: 500,
    byteCap: 1_572_864,
    lineCap: 1000,
    reason: 'why',
  })
  expect(captureStartInput.safeParse(input).success).toBe(true)
})

test('a whole cluster is asked for by its id', () => {
  const { input } = read({ scope: 'cluster', clusterId: SESSION })
  expect(input?.scope).toEqual({ kind: 'cluster', clusterId: SESSION })
  expect(captureStartInput.safeParse(input).success).toBe(true)
  expect(read({ scope: 'cluster' }).problems).toEqual({ clusterId: 'Choose a cluster.' })
})

test('each field that is wrong says so', () => {
  expect(read({ seconds: '', mebibytes: 'much', lines: '0', scope: 'targets' }).problems).toEqual({
    seconds: 'Type a number.',
    mebibytes: 'Type a number.',
    lines: 'From 1 to 500,000,000 lines.',
    targetIds: 'Choose at least one target.',
  })
  expect(read({ seconds: '86401' }).problems).toEqual({ seconds: 'From 0.5 to 86,400 seconds.' })
})
