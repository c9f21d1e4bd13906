import { dbTest } from '@sonde/testing/db-test'
import { expect, test } from 'vitest'
import { serve } from './test-served.ts'
import { sonde } from './test-sonde.ts'

const served = dbTest.extend('served', { scope: 'file' }, serve)

served('the redaction of a session is shown and set', async ({ served: { env } }) => {
  await sonde(['session', 'create', 'checkout'], env)
  const run = (...flags: string[]) => sonde(['session', 'redaction', '--session', 'checkout', ...flags], env)
  expect((await run()).stdout).toMatch(/^level full \(revision 1, the default\)\nvalues: masked; keys as/)
  const set = await run('--level', 'keys', '--keep-key-prefix', '--strict')
  expect(set.stdout).toMatch(/^level keys \(revision 2, set .*\nvalues: masked, and keys too\nkeys are kept up to/)
  expect(set.stdout).toContain('chunks of revisions before 2 are refused')
  const patterns = await run('--mask-in-keys', 'email', 'token', '--json')
  expect(JSON.parse(patterns.stdout)).toMatchObject({
    revision: 3,
    rules: { level: 'keys', keyPatterns: ['email', 'token'], keepKeyPrefix: false },
  })
})

test('a level that is not known is a usage error', async () => {
  const { code, stderr } = await sonde(['session', 'redaction', '--level', 'off'])
  expect(code).toBe(2)
  expect(stderr).toMatch(/Allowed choices are full, values, keys, none/)
})
