/** Bytes of uploads that this process holds, over all nodes. */
export interface UploadMemory {
  /** Bytes that are taken now. */
  readonly taken: number
  /** Someone waits, or more than half is taken: nodes should send less. */
  readonly isTight: boolean
  /**
   * Resolves once so many bytes are free for this node, in the order of the calls; give them back exactly once. Rejects with the
   * reason of the signal when that aborts before.
   */
  take(nodeId: string, bytes: number, signal: AbortSignal): Promise<() => void>
}

export interface UploadMemoryOptions {
  /** Over all nodes. */
  bytes: number
  /** Of one node, so that one which sends slowly cannot hold all. At least the longest upload. */
  nodeBytes: number
}

interface Waiting {
  nodeId: string
  bytes: number
  grant: () => void
}

/** Bounds what uploads hold in memory: who has not been given bytes does not read its socket, and TCP holds the sender. */
export const createUploadMemory = ({ bytes: bound, nodeBytes }: UploadMemoryOptions): UploadMemory => {
  const byNode = new Map<string, number>()
  let waiting: Waiting[] = []
  let taken = 0

  const add = (nodeId: string, bytes: number): void => {
    taken += bytes
    const held = (byNode.get(nodeId) ?? 0) + bytes
    if (held === 0) byNode.delete(nodeId)
    else byNode.set(nodeId, held)
  }

  /** A node at its own bound is passed over; anyone else is waited for, so that a large upload is not starved by small ones. */
  const share = (): void => {
    let isFull = false
    waiting = waiting.filter(({ nodeId, bytes, grant }) => {
      if (isFull || (byNode.get(nodeId) ?? 0) + bytes > nodeBytes) return true
      isFull = taken + bytes > bound
      if (isFull) return true
      add(nodeId, bytes)
      grant()
      return false
    })
  }

  return {
    get taken() {
      return taken
    },
    get isTight() {
      return waiting.length > 0 || taken > bound / 2
    },
    take: (nodeId, bytes, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        const leave = (): void => {
          waiting = waiting.filter((each) => each !== place)
          reject(signal.reason)
          share()
        }
        const giveBack = (): void => {
          add(nodeId, -bytes)
          share()
        }
        const place: Waiting = {
          nodeId,
          bytes,
          grant: () => {
            signal.removeEventListener('abort', leave)
            resolve(giveBack)
          },
        }
        signal.addEventListener('abort', leave, { once: true })
        waiting.push(place)
        share()
      }),
  }
}
