import { TargetHealth, TargetRole } from '@sonde/contracts'

/** One line of CLUSTER NODES. */
export interface ClusterMember {
  nodeId: string
  /** As announced; the address that was dialled where the server does not know its own. */
  host: string
  port: number
  isMyself: boolean
  role: TargetRole
  health: TargetHealth
  /** The node id of its shard's primary. */
  shard: string
  configEpoch: number
  /** First and last slot, inclusive. */
  slots: [number, number][]
}

/** `host:port@busport,hostname`; the host may be IPv6 without brackets, or empty. Null when there is no port. */
export const parseClusterAddress = (text: string, dialledHost: string): { host: string; port: number } | null => {
  const comma = text.indexOf(',')
  const beforeComma = comma < 0 ? text : text.slice(0, comma)
  const hostname = comma < 0 ? '' : (text.slice(comma + 1).split(',')[0] ?? '')
  const at = beforeComma.indexOf('@')
  const address = at < 0 ? beforeComma : beforeComma.slice(0, at)
  const colon = address.lastIndexOf(':')
  const portText = address.slice(colon + 1)
  const port = Number(portText)
  if (colon < 0 || !/^\d+$/.test(portText) || port > 65_535) return null
  const ip = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  // `?` is what a server prints for a host that it does not know.
  const known = [ip, hostname].find((each) => each !== '' && each !== '?' && !each.includes('='))
  return { host: known ?? dialledHost, port }
}

const parseSlots = (tokens: readonly string[]): [number, number][] =>
  tokens.flatMap((token): [number, number][] => {
    // `[42->-id]` and `[42-<-id]` are slots on the move; their owner has them in a plain token too.
    const match = /^(\d+)(?:-(\d+))?$/.exec(token)
    if (match === null) return []
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    return first <= last && last <= 16_383 ? [[first, last]] : []
  })

const healthOf = (flags: ReadonlySet<string>, linkState: string): TargetHealth => {
  if (flags.has('fail') || (linkState !== 'connected' && !flags.has('myself'))) return TargetHealth.unhealthy
  return flags.has('fail?') ? TargetHealth.suspect : TargetHealth.healthy
}

/** Reads CLUSTER NODES. Members that have no address or no role yet are left out. */
export const parseClusterNodes = (text: string, dialledHost: string): ClusterMember[] =>
  text.split(/\r?\n/).flatMap((line): ClusterMember[] => {
    const [nodeId, addressText, flagText, primaryId, , , epoch, linkState, ...slots] = line.split(' ')
    if (!nodeId || !addressText || !flagText || !epoch || !linkState) return []
    const flags = new Set(flagText.split(','))
    const isPrimary = flags.has('master')
    if (flags.has('noaddr') || flags.has('handshake') || !(isPrimary || flags.has('slave') || flags.has('replica'))) {
      return []
    }
    const address = parseClusterAddress(addressText, dialledHost)
    if (address === null || address.port === 0) return []
    return [
      {
        nodeId,
        ...address,
        isMyself: flags.has('myself'),
        role: isPrimary ? TargetRole.primary : TargetRole.replica,
        health: healthOf(flags, linkState),
        shard: !isPrimary && primaryId !== undefined && primaryId !== '-' ? primaryId : nodeId,
        configEpoch: Number(epoch),
        slots: parseSlots(slots),
      },
    ]
  })
