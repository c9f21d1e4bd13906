import { expect, test } from 'vitest'
import { UsageError } from '../core/failure.ts'
import { addressOfUrl } from './preflight.ts'

test.each([
  ['redis://127.0.0.1:7000', { host: '127.0.0.1', port: 7000 }],
  ['redis://user:secret@db.example/0', { host: 'db.example', port: 6379 }],
  ['rediss://[::1]:6380', { host: '::1', port: 6380 }],
])('%s points to its host and port', (url, address) => {
  expect(addressOfUrl(url, '--target')).toEqual(address)
})

test.each(['localhost:6379', 'http://host', '', 'redis://'])('%j is a usage error', (url) => {
  expect(() => addressOfUrl(url, '--target')).toThrow(UsageError)
})
