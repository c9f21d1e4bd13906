import type { SlotRange } from '@sonde/contracts'

/** Ranges of slots are ascending, both ends inclusive, and do not touch each other. */
type Slots = readonly SlotRange[]

/** The slots of either, from ranges in any order. */
export const slotsOfBoth = (one: Slots, other: Slots): SlotRange[] => {
  const merged: SlotRange[] = []
  for (const [first, end] of [...one, ...other].toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last !== undefined && first <= last[1] + 1) last[1] = Math.max(last[1], end)
    else merged.push([first, end])
  }
  return merged
}

/** The slots of the one that the other has not. */
export const slotsWithout = (one: Slots, other: Slots): SlotRange[] => {
  let left = slotsOfBoth(one, [])
  for (const [first, last] of other) {
    left = left.flatMap(([from, to]): SlotRange[] => {
      if (to < first || from > last) return [[from, to]]
      const before: SlotRange[] = from < first ? [[from, first - 1]] : []
      return to > last ? [...before, [last + 1, to]] : before
    })
  }
  return left
}

/** The slots that both have. */
export const slotsInBoth = (one: Slots, other: Slots): SlotRange[] => slotsWithout(one, slotsWithout(one, other))
