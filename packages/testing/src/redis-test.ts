import { test } from 'vitest'
import { findRedisServer } from './redis-server.ts'

const server = await findRedisServer()

/**
 * `test` for what needs a real Valkey or Redis server. Where none can be had it is skipped with the reason in its name's note; with
 * `CI` set it fails instead, so that a machine without a server never passes for one with.
 */
export const redisTest = test.extend('redisServer', { auto: true }, ({ skip }) => {
  if (server.kind === 'found') return server.path
  if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw new Error(server.reason)
  return skip(server.reason)
})
