import { renameSync, writeFileSync } from 'node:fs'
import { SessionState, type Session } from '@sonde/contracts'
import { createOwnerToken, openDatabase } from '@sonde/database'
import { connectTo, type Connection } from '../core/connect.ts'
import { failureOf } from '../core/failure.ts'
import { cliFilePath, readCliFile, type CliFile } from '../core/settings.ts'
import { forgetNodes } from './node-tokens.ts'

/** As whom `up` and the other commands act. */
export interface Owner extends CliFile {
  /** Set when the token was made now: it is shown this once. */
  isNew: boolean
  /** Set when the session of before takes no more work: the one that took its place. */
  movedTo?: Session
}

/**
 * The owner that cli.json holds, while its token is good for this control plane; else a new one, made on the database. When
 * its session was archived, another one of the owner's takes its place, and if there is none, a new one.
 */
export const ensureOwner = async (options: { dataDir: string; databaseUrl: string; url: string }): Promise<Owner> => {
  const { dataDir, databaseUrl, url } = options
  const kept = readCliFile(dataDir)
  const found = kept && (await sessionOf({ ...kept, url }))
  if (kept && found) {
    const { session, isSame } = found
    if (!isSame) forgetNodes(dataDir)
    const owner = { url, token: kept.token, sessionId: session.id }
    if (kept.url !== url || !isSame) writeCliFile(dataDir, owner)
    return { ...owner, isNew: false, ...(!isSame && { movedTo: session }) }
  }
  await using database = openDatabase({ url: databaseUrl, maxConnections: 1 })
  const name = process.env['USER'] || process.env['USERNAME'] || 'owner'
  const { token, sessionId } = await createOwnerToken(database.db, { name })
  forgetNodes(dataDir)
  const made = { url, token, sessionId }
  writeCliFile(dataDir, made)
  return { ...made, isNew: true }
}

const takesWork = ({ state, role }: Session): boolean =>
  (state === SessionState.active || state === SessionState.provisioning) && role !== 'viewer'

/** The session to work in; undefined when the token is not good. */
const sessionOf = async (file: CliFile): Promise<{ session: Session; isSame: boolean } | undefined> => {
  const { url, token, sessionId } = file
  await using connection = await connectTo({ url, token, session: sessionId })
  try {
    const before = await findSession(connection, sessionId)
    if (before && takesWork(before)) return { session: before, isSame: true }
    const { sessions } = await connection.call((rpc) => rpc.sessions.list.query({ limit: 200 }))
    const session =
      sessions.findLast(takesWork) ?? (await connection.call((rpc) => rpc.sessions.create.mutate({ name: 'default' })))
    return { session, isSame: false }
  } catch (error) {
    if (failureOf(error).code.startsWith('auth.')) return undefined
    throw error
  }
}

const findSession = async (connection: Connection, sessionId: string): Promise<Session | undefined> => {
  try {
    return await connection.call((rpc) => rpc.sessions.get.query({ sessionId }))
  } catch (error) {
    if (failureOf(error).code === 'session.not_found') return undefined
    throw error
  }
}

const writeCliFile = (dataDir: string, file: CliFile): void => {
  const path = cliFilePath(dataDir)
  const { url, token, sessionId } = file
  writeFileSync(`${path}.new`, `${JSON.stringify({ url, token, sessionId }, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
