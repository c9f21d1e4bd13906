import { renameSync, writeFileSync } from 'node:fs'
import { createOwnerToken, openDatabase } from '@sonde/database'
import { connectTo } from '../core/connect.ts'
import { failureOf } from '../core/failure.ts'
import { cliFilePath, readCliFile, type CliFile } from '../core/settings.ts'

/** As whom `up` and the other commands act. */
export interface Owner extends CliFile {
  /** Set when the token was made now: it is shown this once. */
  isNew: boolean
}

/** The owner that cli.json holds, while its token is good for this control plane; else a new one, made on the database. */
export const ensureOwner = async (options: { dataDir: string; databaseUrl: string; url: string }): Promise<Owner> => {
  const { dataDir, databaseUrl, url } = options
  const kept = readCliFile(dataDir)
  if (kept !== undefined && (await isGood({ ...kept, url }))) {
    if (kept.url !== url) writeCliFile(dataDir, { ...kept, url })
    return { ...kept, url, isNew: false }
  }
  await using database = openDatabase({ url: databaseUrl, maxConnections: 1 })
  const name = process.env['USER'] || process.env['USERNAME'] || 'owner'
  const { token, sessionId } = await createOwnerToken(database.db, { name })
  const made = { url, token, sessionId }
  writeCliFile(dataDir, made)
  return { ...made, isNew: true }
}

const isGood = async ({ url, token, sessionId }: CliFile): Promise<boolean> => {
  await using connection = await connectTo({ url, token, session: sessionId })
  try {
    const session = await connection.call((rpc) => rpc.sessions.get.query({ sessionId }))
    return session.state === 'active' || session.state === 'provisioning'
  } catch (error) {
    const { code } = failureOf(error)
    if (code.startsWith('auth.') || code === 'session.not_found') return false
    throw error
  }
}

const writeCliFile = (dataDir: string, file: CliFile): void => {
  const path = cliFilePath(dataDir)
  const { url, token, sessionId } = file
  writeFileSync(`${path}.new`, `${JSON.stringify({ url, token, sessionId }, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
