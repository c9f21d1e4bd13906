import { spawnSync } from 'node:child_process'
import { dbTest } from '@sonde/testing/db-test'
import { expect, test } from 'vitest'
import { sonde } from './test-sonde.ts'

const hasClient = spawnSync('psql', ['--version']).status === 0

dbTest.skipIf(!hasClient)(
  'psql reads the views, and nothing else; it needs a psql on PATH',
  async ({ databaseUrl }) => {
    const run = (statement: string) => sonde(['sql', '-c', statement], { DATABASE_URL: databaseUrl })
    expect(await run('select count(*) as nodes from nodes')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/nodes[\s\S]+0/),
    })
    for (const statement of [
      'select 1 from public.tokens',
      "update transitions set reason = 'x'",
      'create table t ()',
    ]) {
      const refused = await run(statement)
      expect(refused.code).not.toBe(0)
      expect(refused.stderr).toMatch(/permission denied|read-only transaction/)
    }
  },
)

test('without a database, and without psql, sonde sql says what to do', async () => {
  expect(await sonde(['sql'], {})).toMatchObject({ code: 2, stderr: expect.stringContaining('READ_DATABASE_URL') })
  const missing = await sonde(['sql'], { DATABASE_URL: 'postgres://127.0.0.1:1/x', PATH: '/nonexistent' })
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('psql was not found') })
})
