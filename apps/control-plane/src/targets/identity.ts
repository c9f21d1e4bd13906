import type { DeclaredTarget } from '@sonde/contracts'

const LOOPBACK = /^(127\.|::1$|localhost$|\/|unix:)/

/** Whether an address means something on one host only, so that two nodes' `127.0.0.1:6379` are two servers. */
const isHostLocal = (target: Pick<DeclaredTarget, 'kind' | 'host'>): boolean =>
  target.kind === 'synthetic' || LOOPBACK.test(target.host)

/**
 * What tells a server that was never seen from one that was: its cluster node id, else its address, with the node's id
 * where the address is host-local. (A standalone server is first looked for by its run id.)
 */
export const identityOf = (nodeId: string, target: DeclaredTarget): string => {
  if (target.clusterNodeId !== undefined) return `cluster:${target.clusterNodeId}`
  const address = `${target.host}:${target.port}`
  return isHostLocal(target) ? `address:${address}@${nodeId}` : `address:${address}`
}
