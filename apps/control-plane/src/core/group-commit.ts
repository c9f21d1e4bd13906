import type { Clock } from '@sonde/contracts'

export interface GroupCommitOptions<Item, Verdict> {
  clock: Clock
  /** How long the first item of a group waits for company while nothing else is on its way. @default 5 */
  windowMs?: number
  /**
   * Far more than come between two groups of a healthy process: a bound that is met makes a busy one slower still.
   * @default 10_000
   */
  mostItems?: number
  /** What an item adds to the size of its group. @default nothing */
  sizeOf?: (item: Item) => number
  /** The size at which a group takes no more; a larger item goes alone. @default no bound */
  mostSize?: number
  /** Answers one verdict for each item, in the same order. A rejection fails the items of this group, and no others. */
  commit: (items: Item[]) => Promise<Verdict[]>
}

/**
 * Collects items that arrive close to each other and commits them together: one group at a time, the next as soon as the
 * one before has returned.
 */
export const createGroupCommit = <Item, Verdict>(
  options: GroupCommitOptions<Item, Verdict>,
): ((item: Item) => Promise<Verdict>) => {
  const { clock, commit, windowMs = 5, mostItems = 10_000, sizeOf = () => 0, mostSize = Infinity } = options
  type Waiting = { item: Item; resolve: (verdict: Verdict) => void; reject: (error: unknown) => void }
  let queue: Waiting[] = []
  let busy = false

  const nextCount = (): number => {
    let size = 0
    const past = queue.findIndex(({ item }, at) => {
      size += sizeOf(item)
      return at >= mostItems || (at > 0 && size > mostSize)
    })
    return past === -1 ? queue.length : past
  }

  const run = async (): Promise<void> => {
    while (queue.length > 0) {
      const count = nextCount()
      const group = queue.slice(0, count)
      queue = queue.slice(count)
      try {
        const verdicts = await commit(group.map(({ item }) => item))
        group.forEach(({ resolve, reject }, at) => {
          const verdict = verdicts[at]
          if (verdict === undefined) reject(new Error('a group was committed without a verdict for each item'))
          else resolve(verdict)
        })
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    busy = false
  }

  return (item) =>
    new Promise((resolve, reject) => {
      queue.push({ item, resolve, reject })
      if (busy) return
      busy = true
      clock.setTimeout(() => void run(), windowMs)
    })
}
