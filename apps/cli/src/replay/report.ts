import type { ReplayCommand, SkipReason } from './classify.ts'
import { mayWrite } from './declared.ts'
import { Spread } from './spread.ts'

export interface CommandCount {
  sent: number
  /** By the server's kind of error. */
  errors: Record<string, number>
  writes: boolean
}

/** Counts what a replay does, or would do. */
export class ReplayReport {
  readonly commands = new Map<string, CommandCount>()
  readonly skipped = new Map<SkipReason, number>()
  /** How long after its time a command was sent, in milliseconds; empty where there is no time to keep. */
  readonly lateness = new Spread()
  /** From sending to the answer. */
  readonly answers = new Spread()
  bytes = 0
  sent = 0
  errors = 0
  #firstUs: number | undefined
  #lastUs: number | undefined

  skip(reason: SkipReason): void {
    this.skipped.set(reason, (this.skipped.get(reason) ?? 0) + 1)
  }

  count({ verb, args, eventUs }: ReplayCommand): void {
    const known = this.commands.get(verb)
    const command = known ?? { sent: 0, errors: {}, writes: mayWrite(args) }
    if (known === undefined) this.commands.set(verb, command)
    command.sent += 1
    this.sent += 1
    for (const arg of args) this.bytes += arg.length
    this.#firstUs ??= eventUs
    this.#lastUs = Math.max(this.#lastUs ?? eventUs, eventUs)
  }

  fail(verb: string, kind: string): void {
    const command = this.commands.get(verb)
    if (command === undefined) return
    command.errors[kind] = (command.errors[kind] ?? 0) + 1
    this.errors += 1
  }

  get writes(): number {
    return [...this.commands.values()].reduce((sum, { sent, writes }) => sum + (writes ? sent : 0), 0)
  }

  /** From the first command to the last one at the speed of the capture, in milliseconds. */
  get capturedMs(): number {
    return this.#firstUs === undefined || this.#lastUs === undefined ? 0 : (this.#lastUs - this.#firstUs) / 1000
  }
}
