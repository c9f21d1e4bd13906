import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@sonde/contracts'
import { startControlPlane } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'

/** A control plane, a session with its tokens, calls to it, and a state directory for a daemon. */
export const daemonTest = dbTest
  .extend('server', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }) => {
    const server = await startControlPlane({ databaseUrl })
    onCleanup(() => server[Symbol.asyncDispose]())
    return server
  })
  .extend('stateDir', ({ task: _task }, { onCleanup }) => {
    const dir = mkdtempSync(join(tmpdir(), 'sonde-daemon-'))
    onCleanup(() => rmSync(dir, { recursive: true, force: true }))
    return dir
  })
  .extend('workspace', async ({ database: { db } }) => {
    const [participantId, sessionId] = [newId(), newId()]
    await db.insertInto('participants').values({ id: participantId, name: 'owner' }).execute()
    await db.insertInto('sessions').values({ id: sessionId, name: 'work', created_by: participantId }).execute()
    const membership = { session_id: sessionId, participant_id: participantId, role: 'owner' } as const
    await db.insertInto('session_memberships').values(membership).execute()
    const tokenOf = async (kind: 'person' | 'node'): Promise<string> => {
      const token = `sonde_${kind[0]}_${randomBytes(32).toString('base64url')}`
      const sha256 = createHash('sha256').update(token).digest()
      const expires_at = new Date(Date.now() + 3_600_000)
      const row = { id: newId(), kind, sha256, name: kind, participant_id: participantId, expires_at }
      await db
        .insertInto('tokens')
        .values({ ...row, session_id: kind === 'node' ? sessionId : null })
        .execute()
      return token
    }
    return { sessionId, personToken: await tokenOf('person'), nodeToken: await tokenOf('node') }
  })
  .extend('rpc', ({ server, workspace }) => {
    const headers = { authorization: `Bearer ${workspace.personToken}`, 'content-type': 'application/json' }
    const read = async (response: Response): Promise<unknown> => {
      const body = (await response.json()) as { result?: { data: unknown } }
      if (body.result === undefined) throw new Error(JSON.stringify(body))
      return body.result.data
    }
    return {
      query: async <T>(name: string, input: unknown) =>
        (await read(
          await fetch(`${server.url}/trpc/${name}?input=${encodeURIComponent(JSON.stringify(input))}`, { headers }),
        )) as T,
      mutate: async <T>(name: string, input: unknown) =>
        (await read(
          await fetch(`${server.url}/trpc/${name}`, { method: 'POST', headers, body: JSON.stringify(input) }),
        )) as T,
      raw: async (captureId: string) =>
        (await fetch(`${server.url}/export/captures/${captureId}?format=raw`, { headers })).text(),
    }
  })
