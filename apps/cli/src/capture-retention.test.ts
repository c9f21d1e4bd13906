import { newId } from '@sonde/contracts'
import type { Database } from '@sonde/database'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'
import { serve } from './test-served.ts'
import { sonde } from './test-sonde.ts'

const served = dbTest.extend('served', { scope: 'file' }, serve)

const seed = async ({ db }: Database): Promise<string> => {
  const session = await db.selectFrom('sessions').select('id').executeTakeFirstOrThrow()
  const id = newId()
  await db
    .insertInto('captures')
    .values({
      id,
      session_id: session.id,
      status: 'completed',
      source: 'manual',
      scope: JSON.stringify({ kind: 'primaries' }),
      require: JSON.stringify('any'),
      duration_limit_ms: 1000,
      byte_cap: 1024,
      line_cap: 1,
      partition_day: new Date().toISOString().slice(0, 10),
    })
    .execute()
  return id
}

served(
  'a capture is pinned, given an expiry, previewed and deleted',
  { timeout: 120_000 },
  async ({ served: { env }, database }) => {
    await sonde(['session', 'create', 'kept'], env)
    const id = await seed(database)
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await sonde(['capture', ...args], env)
      expect(stderr).toBe('')
      expect(code).toBe(0)
      return stdout
    }
    expect(await run('expire', id, '--in', '2d')).toMatch(/expires: \d{4}-\d\d-\d\d /)
    expect(await run('retention')).toMatch(new RegExp(`1 capture, 0 lines, 0 B: deleted\\n[^]*${id} .* deleted`))
    expect(await run('pin', id)).toContain('pinned: kept whatever its expiry')
    expect(await run('list')).toMatch(new RegExp(`${id} .* pinned `))
    expect(await run('show', id)).toContain('pinned: kept')
    expect(await run('retention')).toContain('stays: pinned')
    const refused = await sonde(['capture', 'delete', id, '--yes'], env)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('code: capture.pinned')
    expect(await run('unpin', id)).toMatch(/expires: \d{4}/)
    expect(await run('expire', id, '--never')).toContain('expires: never')
    expect(await run('retention')).toContain('Nothing expires until')
    expect(await run('delete', id, '--yes')).toBe(`${id} is deleted: 0 lines, 0 B.\n`)
    expect((await sonde(['capture', 'show', id], env)).stderr).toContain('code: capture.not_found')
  },
)
