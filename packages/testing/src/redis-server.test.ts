import { expect, test } from 'vitest'
import { findNow } from './redis-server.ts'

test('a server named by REDIS_SERVER that cannot be run is a reason, not a silent second choice', async () => {
  expect(await findNow({ REDIS_SERVER: '/no/such/server', PATH: process.env['PATH'] })).toEqual({
    kind: 'none',
    reason: 'REDIS_SERVER names /no/such/server, which cannot be run',
  })
})

test('REDIS_SERVER goes before PATH', async () => {
  expect(await findNow({ REDIS_SERVER: process.execPath, PATH: process.env['PATH'] })).toEqual({
    kind: 'found',
    path: process.execPath,
    env: {},
  })
})
