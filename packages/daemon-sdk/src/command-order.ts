import type { CommandResult, DeliveredCommand } from '@sonde/contracts'
import { segmentKey } from './segment-key.ts'

/** What to do with a delivered command. */
export type Delivery =
  /** Run these, each after the one before it. */
  | { kind: 'run'; commands: DeliveredCommand[] }
  /** It was answered before: answer the same again. */
  | { kind: 'answered'; result: CommandResult }
  /** It runs, or waits behind one that runs. */
  | { kind: 'known' }
  /** A number before it is missing: it waits for the next delivery. */
  | { kind: 'held' }

interface SegmentOrder {
  next: number
  held: Map<number, DeliveredCommand>
}

/** How many answers, and how many segments, are remembered; commands are idempotent by content beyond that. */
const MOST_REMEMBERED = 4096

/**
 * Which commands run, and when: each once, in the order of `number` within a segment. The first command seen of a segment
 * begins its order, because the ones before it were answered by an earlier process. Control planes deliver the unanswered
 * commands of a segment in order, so a held command that is delivered again shows that the missing one was
 * answered for us: then it runs.
 */
export class CommandOrder {
  readonly #segments = new Map<string, SegmentOrder>()
  readonly #underway = new Set<string>()
  readonly #answers = new Map<string, CommandResult>()

  deliver(command: DeliveredCommand): Delivery {
    const { commandId, number } = command
    const result = this.#answers.get(commandId)
    if (result) return { kind: 'answered', result }
    if (this.#underway.has(commandId)) return { kind: 'known' }
    const segment = this.#segmentOf(command)
    const isRedelivered = segment.held.get(number)?.commandId === commandId
    if (number > segment.next && !isRedelivered) {
      segment.held.set(number, command)
      return { kind: 'held' }
    }
    segment.held.delete(number)
    const commands = [command]
    segment.next = Math.max(segment.next, number + 1)
    for (let next = segment.held.get(segment.next); next; next = segment.held.get(segment.next)) {
      commands.push(next)
      segment.held.delete(segment.next)
      segment.next += 1
    }
    for (const each of commands) this.#underway.add(each.commandId)
    return { kind: 'run', commands }
  }

  /** Whether some command waits for one with a lower number. */
  get hasHeld(): boolean {
    return [...this.#segments.values()].some((segment) => segment.held.size > 0)
  }

  /** Keeps the result of a command that has run. */
  answered(commandId: string, result: CommandResult): void {
    this.#underway.delete(commandId)
    this.#answers.set(commandId, result)
    forgetOldest(this.#answers)
  }

  #segmentOf({ body, number }: DeliveredCommand): SegmentOrder {
    const key = segmentKey(body)
    const known = this.#segments.get(key) ?? { next: number, held: new Map() }
    // Set again, so that the segment used least recently is the oldest of the map.
    this.#segments.delete(key)
    this.#segments.set(key, known)
    forgetOldest(this.#segments)
    return known
  }
}

const forgetOldest = (map: Map<string, unknown>): void => {
  for (const key of map.keys()) {
    if (map.size <= MOST_REMEMBERED) return
    map.delete(key)
  }
}
