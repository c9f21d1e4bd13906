import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectTo, type Connection } from '../core/connect.ts'
import { failureOf } from '../core/failure.ts'
import { rosterOf } from '../node-ref.ts'
import type { Owner } from './owner.ts'

const pathIn = (dataDir: string): string => join(dataDir, 'nodes.json')

const nodeIdPath = (dataDir: string, name: string): string => join(dataDir, name, 'node-id')
const NODE_FOLDER = /^node-\d+$/

export const nodeName = (index: number): string => `node-${index + 1}`

/** The tokens of so many nodes, in their order. Those of earlier runs are used again while they are good. */
export const nodeTokens = async (options: {
  dataDir: string
  owner: Owner
  connection: Connection
  count: number
}): Promise<string[]> => {
  const { dataDir, owner, connection, count } = options
  const { sessionId, url } = owner
  const kept = readTokens(dataDir)
  const tokens: string[] = []
  for (let index = 0; index < count; index += 1) {
    const name = nodeName(index)
    const before = kept[name]
    const token =
      before !== undefined && (await isGood({ url, token: before, sessionId }))
        ? before
        : (await connection.call((rpc) => rpc.tokens.create.mutate({ kind: 'node', sessionId, name }))).token
    tokens.push(token)
    kept[name] = token
  }
  writeTokens(dataDir, kept)
  return tokens
}

/**
 * A node that a person has revoked never comes back, so the next one here is a new one. What its daemon had on disk stays, in a folder
 * beside it.
 */
export const setAsideRevoked = async (options: { dataDir: string; connection: Connection }): Promise<void> => {
  const { dataDir, connection } = options
  const folders = readdirSync(dataDir).filter((name) => NODE_FOLDER.test(name) && existsSync(nodeIdPath(dataDir, name)))
  if (folders.length === 0) return
  const revoked = (await rosterOf(connection, true)).filter(({ state }) => state === 'revoked')
  const kept = readTokens(dataDir)
  for (const name of folders) {
    const nodeId = readFileSync(nodeIdPath(dataDir, name), 'utf8').trim()
    if (!revoked.some((node) => node.nodeId === nodeId)) continue
    renameSync(join(dataDir, name), join(dataDir, `${name}.revoked-${Date.now()}`))
    delete kept[name]
  }
  writeTokens(dataDir, kept)
}

/**
 * Forgets the tokens and ids of the nodes here, so that the next ones are new: a node's id belongs to one owner for good, and
 * is attached to one session.
 */
export const forgetNodes = (dataDir: string): void => {
  rmSync(pathIn(dataDir), { force: true })
  for (const name of readdirSync(dataDir)) {
    if (NODE_FOLDER.test(name)) rmSync(join(dataDir, name), { recursive: true, force: true })
  }
}

const writeTokens = (dataDir: string, tokens: Record<string, string>): void => {
  writeFileSync(`${pathIn(dataDir)}.new`, `${JSON.stringify(tokens, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(`${pathIn(dataDir)}.new`, pathIn(dataDir))
}

const readTokens = (dataDir: string): Record<string, string> => {
  if (!existsSync(pathIn(dataDir))) return {}
  try {
    const value: unknown = JSON.parse(readFileSync(pathIn(dataDir), 'utf8'))
    return Object.fromEntries(
      Object.entries(value ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    )
  } catch {
    return {}
  }
}

const isGood = async (node: { url: string; token: string; sessionId: string }): Promise<boolean> => {
  const { url, token, sessionId } = node
  await using connection = await connectTo({ url, token, session: sessionId })
  try {
    const self = await connection.call((rpc) => rpc.tokens.self.query())
    return self.kind === 'node' && self.sessionId === sessionId
  } catch (error) {
    if (failureOf(error).code.startsWith('auth.')) return false
    throw error
  }
}
