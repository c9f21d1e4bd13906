import { mintToken, type Database } from '@sonde/database'
import { expect } from 'vitest'
import { holdOpen } from '../../test/barrier.ts'
import { enroll, makeEnrollment, newHost, post, proofOf, proveKey, tokenOf } from '../../test/enroll-support.ts'
import { attach, beat, newNodeId, verdictOf } from '../../test/node-support.ts'
import { waitForLock } from '../../test/presence-support.ts'
import { act } from '../../test/scheduling-support.ts'
import { makeNodeToken, makePerson, makeSession, serverTest as base } from '../../test/support.ts'
import { insertRenewal } from './store-credentials.ts'

/** An enrolled node that is attached, with its credential. */
const serverTest = base.extend('node', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const host = newHost()
  const token = tokenOf(await enroll(server.url, host, await makeEnrollment(server.url, owner, { sessionId })))
  const caller = { url: server.url, owner, token }
  const { nodeId, epoch } = await attach(caller, { sessionId, nodeId: host.nodeId })
  /** Moves the life of all its tokens, so that so many minutes of their hour are over. */
  const age = (minutes: number) =>
    database.db
      .updateTable('tokens')
      .set({
        created_at: new Date(Date.now() - minutes * 60_000),
        expires_at: new Date(Date.now() + (60 - minutes) * 60_000),
      })
      .where('node_id', '=', nodeId)
      .execute()
  const beatWith = (of: string) => beat({ url: server.url, owner, token: of }, { nodeId, epoch })
  /** A verdict on a token is remembered for a second. */
  const renewed = (with_: string) =>
    expect
      .poll(async () => verdictOf(await beatWith(with_)).credential?.token, { timeout: 5_000, interval: 50 })
      .toEqual(expect.any(String))
  return { owner, sessionId, host, token, nodeId, epoch, age, beatWith, renewed }
})

serverTest(
  'beats renew a credential from half of its life on, until the new one is used; the old one stays good to its end',
  async ({ database, server, node }) => {
    const { token, nodeId, age, beatWith, renewed } = node
    await age(29)
    expect(verdictOf(await beatWith(token)).credential).toBeUndefined()
    await age(31)
    await renewed(token)
    // As if that answer had been lost.
    const { credential } = verdictOf(await beatWith(token))
    const life = (Date.parse(credential?.expiresAt ?? '') - Date.now()) / 60_000
    expect(life).toBeGreaterThan(59.9)
    expect(verdictOf(await beatWith(credential?.token ?? '')).credential).toBeUndefined()
    expect((await beatWith(token)).status).toBe(200)
    const other = newNodeId()
    const caller = { url: server.url, owner: node.owner, token: credential?.token ?? '' }
    expect((await beat(caller, { nodeId: other })).error).toMatchObject({
      code: 'auth.token_bound',
      details: { nodeId },
    })
    await age(61)
    await expect
      .poll(async () => (await beatWith(token)).error?.code, { timeout: 5_000, interval: 100 })
      .toBe('auth.token_expired')
    expect((await proveKey(server.url, node.host)).status).toBe(200)
    const left = await database.db.selectFrom('tokens').select('id').where('node_id', '=', nodeId).execute()
    expect(left).toHaveLength(1)
  },
)

serverTest('a token that a person made is not renewed', async ({ database, server }) => {
  const owner = await makePerson(database)
  const sessionId = await makeSession(database, owner)
  const token = await makeNodeToken(database, owner, sessionId)
  await database.db
    .updateTable('tokens')
    .set({ created_at: new Date(Date.now() - 3_000_000) })
    .where('participant_id', '=', owner.participantId)
    .execute()
  const caller = { url: server.url, owner, token }
  const { nodeId } = await attach(caller, { sessionId })
  expect(verdictOf(await beat(caller, { nodeId })).credential).toBeUndefined()
})

serverTest('each proof of the key works once, and none but the node’s own', async ({ server, node: { host } }) => {
  const proof = await proofOf(host, 'credential')
  const body = { nodeId: host.nodeId, proof }
  const answers = await Promise.all(Array.from({ length: 8 }, () => post(server.url, '/node/credential', body)))
  expect(answers.map(({ error }) => error?.code ?? 'ok').toSorted()).toEqual([
    ...Array.from({ length: 7 }, () => 'auth.proof_stale'),
    'ok',
  ])
  const codeOf = async (given: Promise<{ error: { code: string } | undefined }>) => (await given).error?.code
  expect({
    otherKey: await codeOf(proveKey(server.url, host, { key: newHost().privateKey })),
    otherPurpose: await codeOf(proveKey(server.url, host, { audience: 'sonde:enroll' })),
    unknownNode: await codeOf(proveKey(server.url, newHost())),
    late: await codeOf(proveKey(server.url, host, { atMs: Date.now() - 180_000 })),
  }).toEqual({
    otherKey: 'auth.proof_invalid',
    otherPurpose: 'auth.proof_invalid',
    unknownNode: 'auth.proof_invalid',
    late: 'auth.proof_stale',
  })
  expect((await proveKey(server.url, host)).status).toBe(200)
})

serverTest(
  'a renewal that meets a revocation under way waits for it, and gives nothing',
  async ({ database, node: { token, nodeId, age, beatWith, renewed } }) => {
    await age(45)
    await renewed(token)
    const before = await tokensOf(database, nodeId)
    await using revocation = await holdOpen(database, (trx) =>
      trx.updateTable('runtime_node_attachments').set({ state: 'revoked' }).where('node_id', '=', nodeId).execute(),
    )
    // The beat itself reads what is committed, and is accepted.
    const beating = beatWith(token)
    await waitForLock(database)
    await revocation.commit()
    const answer = await beating
    expect(answer.status).toBe(200)
    expect(verdictOf(answer).credential).toBeUndefined()
    expect(await tokensOf(database, nodeId)).toEqual(before)
  },
)

serverTest(
  'a revocation that meets a renewal under way waits for it, and ends the new credential too',
  async ({ database, server, node: { owner, sessionId, nodeId, age } }) => {
    await age(45)
    const [own] = await tokensOf(database, nodeId)
    await using renewal = await holdOpen(database, (trx) => insertRenewal(trx, own!.id, mintToken('node')))
    const revoking = act(owner, { url: server.url, sessionId, nodeId }, { procedure: 'revoke' })
    await waitForLock(database)
    await renewal.commit()
    expect((await revoking).status).toBe(200)
    const tokens = await tokensOf(database, nodeId)
    expect(tokens.map(({ revoked_at }) => revoked_at !== null)).toEqual([true, true])
  },
)

const tokensOf = ({ db }: Database, nodeId: string) =>
  db.selectFrom('tokens').select(['id', 'revoked_at']).where('node_id', '=', nodeId).execute()
