import { startControlPlane } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { attach, beat, goOnline, newNodeId, tryAttach } from '../../test/node-support.ts'
import { makePerson, makeSession } from '../../test/support.ts'

dbTest('beats are accepted while attaches hold every other connection', async ({ database, databaseUrl }) => {
  const env = { SONDE_SWEEP_MS: 'off', SONDE_DATABASE_CONNECTIONS: '2' }
  await using server = await startControlPlane({ databaseUrl, env })
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const caller = { url: server.url, owner }
  const { nodeId } = await attach(caller, { sessionId })
  await goOnline(caller, nodeId)
  const held = await database.db.transaction().execute(async (trx) => {
    await sql`select 1 from sessions where id = ${sessionId} for update`.execute(trx)
    let answered = 0
    const attaches = Array.from({ length: 8 }, () =>
      tryAttach(caller, { sessionId, nodeId: newNodeId() }).finally(() => (answered += 1)),
    )
    const beats = []
    for (let turn = 0; turn < 10; turn += 1) beats.push((await beat(caller, { nodeId })).status)
    expect(beats).toEqual(Array(10).fill(200))
    expect(answered).toBe(0)
    return { attaches }
  })
  expect((await Promise.all(held.attaches)).map(({ status }) => status)).toEqual(Array(8).fill(200))
})
