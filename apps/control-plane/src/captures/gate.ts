/** Runs work, at most so many at the same time; the rest waits in the order in which it came. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>

/** A gate that lets `places` pieces of work run at once. */
export const createGate = (places: number): Gate => {
  const waiting: (() => void)[] = []
  let free = places
  return async (work) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else free += 1
    }
  }
}
