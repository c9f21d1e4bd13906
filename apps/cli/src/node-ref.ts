import type { RosterNode } from '@sonde/contracts'
import type { Connection } from './core/connect.ts'
import { UsageError } from './core/failure.ts'

/** All nodes of the session in use; `includeEnded`: detached and revoked ones too. */
export const rosterOf = async (connection: Connection, includeEnded: boolean): Promise<RosterNode[]> => {
  const sessionId = await connection.sessionId()
  const nodes: RosterNode[] = []
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = { sessionId, includeEnded, ...(cursor !== undefined && { cursor }) }
    const answer = await connection.call((rpc) => rpc.runtimeNode.roster.query(page))
    nodes.push(...answer.nodes)
    cursor = answer.nextCursor ?? undefined
  }
  return nodes
}

/** The name that the daemon was given, if any. */
export const daemonNameOf = ({ capabilities }: RosterNode): string | undefined => {
  const { monitor } = capabilities
  const name = monitor !== null && typeof monitor === 'object' && 'name' in monitor ? monitor['name'] : undefined
  return typeof name === 'string' ? name : undefined
}

/** As daemons make them; other ids are possible, and are looked for like names. */
const MADE_ID = /^node-[0-9a-f]{32}$/

/** The id of a node named by its id or by its daemon's name. Throws a UsageError where that is no node, or several. */
export const resolveNode = async (connection: Connection, wanted: string): Promise<string> => {
  if (MADE_ID.test(wanted)) return wanted
  const all = await rosterOf(connection, true)
  if (all.some(({ nodeId }) => nodeId === wanted)) return wanted
  const named = all.filter((node) => daemonNameOf(node) === wanted)
  const live = named.filter(({ endedAt }) => endedAt === null)
  const [node, ...others] = live.length > 0 ? live : named
  if (node === undefined) {
    throw new UsageError(`No node of the session has the id or name "${wanted}". "sonde nodes --all" lists them.`)
  }
  if (others.length > 0) {
    throw new UsageError(
      `${others.length + 1} nodes have the name "${wanted}". Give the id of one; "sonde nodes" shows it.`,
    )
  }
  return node.nodeId
}
