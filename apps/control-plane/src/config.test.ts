import { expect, test } from 'vitest'
import { readConfig } from './config.ts'

const DATABASE_URL = 'postgres://somebody@127.0.0.1/sonde'
const livenessOf = (env: Record<string, string> = {}) => readConfig({ DATABASE_URL, ...env }).liveness

test('the defaults of liveness are those that the rules are stated for', () => {
  expect(livenessOf()).toEqual({
    heartbeatMs: 15_000,
    degradedAfterMs: 30_000,
    offlineAfterMs: 60_000,
    sweepMs: 5_000,
    breaker: { share: 0.3, nodes: 10, holdMs: 120_000 },
    reapAfterMs: null,
  })
})

test('the sweep, the breaker and the reaper can be set, and the sweep turned off', () => {
  const env = {
    SONDE_SWEEP_MS: 'off',
    SONDE_BREAKER_PERCENT: '50',
    SONDE_BREAKER_NODES: '3',
    SONDE_BREAKER_HOLD_MS: '0',
  }
  expect(livenessOf({ ...env, SONDE_REAP_AFTER_MS: '7200000' })).toMatchObject({
    sweepMs: null,
    breaker: { share: 0.5, nodes: 3, holdMs: 0 },
    reapAfterMs: 7_200_000,
  })
})

test('captures are kept for 30 days, for as many as are set, or without an expiry', () => {
  const daysOf = (env: Record<string, string>) => readConfig({ DATABASE_URL, ...env }).captures.retentionDays
  expect(daysOf({})).toBe(30)
  expect(daysOf({ SONDE_RETENTION_DAYS: '7' })).toBe(7)
  expect(daysOf({ SONDE_RETENTION_DAYS: 'off' })).toBeNull()
  for (const bad of ['0', '3651', '', 'never', '1.5']) {
    expect(() => daysOf({ SONDE_RETENTION_DAYS: bad })).toThrow(/SONDE_RETENTION_DAYS: /)
  }
})

test.each([
  [{ SONDE_SWEEP_MS: '30000' }, 'SONDE_SWEEP_MS < SONDE_DEGRADED_AFTER_MS'],
  [{ SONDE_SWEEP_MS: '1500', SONDE_DEGRADED_AFTER_MS: '1500', SONDE_HEARTBEAT_MS: '700' }, 'SONDE_SWEEP_MS <'],
  [{ SONDE_SWEEP_MS: 'soon' }, 'SONDE_SWEEP_MS: must be "off"'],
  [{ SONDE_HEARTBEAT_MS: '30000' }, 'SONDE_HEARTBEAT_MS < SONDE_DEGRADED_AFTER_MS'],
  [{ SONDE_OFFLINE_AFTER_MS: '30000' }, 'SONDE_DEGRADED_AFTER_MS < SONDE_OFFLINE_AFTER_MS'],
  [{ SONDE_REAP_AFTER_MS: '60000' }, 'SONDE_OFFLINE_AFTER_MS < SONDE_REAP_AFTER_MS'],
  [{ SONDE_BREAKER_PERCENT: '0' }, 'SONDE_BREAKER_PERCENT'],
])('%o is refused, and the setting named', (env, words) => {
  expect(() => livenessOf(env)).toThrow(words)
})
