import { test } from 'vitest'
import { findRedisServer } from './redis-server.ts'

const server = await findRedisServer()
const isCi = (process.env['CI'] ?? '') !== ''
// The default reporter hides why a test was skipped.
if (server.kind === 'none' && !isCi) console.warn(`Tests against a real server are left out. ${server.reason}`)

/** A fixture for `test.extend('redisServer', { auto: true }, requireRedis)`; see {@link redisTest}. Gives the server's path. */
export const requireRedis = ({ skip }: { skip: (reason: string) => never }): string => {
  if (server.kind === 'found') return server.path
  if (isCi) throw new Error(server.reason)
  return skip(server.reason)
}

/**
 * `test` for what needs a real Valkey or Redis server. Where none can be had it is skipped, and the reason is printed; with
 * `CI` set it fails instead, so that a machine without a server never passes for one with.
 */
export const redisTest = test.extend('redisServer', { auto: true }, requireRedis)
