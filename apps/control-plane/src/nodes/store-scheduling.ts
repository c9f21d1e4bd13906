import type { Scheduling } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import { schedulingOf, type SchedulingMarks } from './scheduling.ts'
import { recordTransition } from './store-history.ts'
import type { Attachment } from './store.ts'

/** Whether a slot is to be cordoned, and drained. */
export interface SchedulingChange {
  cause: 'cordon' | 'uncordon' | 'drain'
  reason: string | undefined
  /** With `drain` only. */
  drain?: { deadline: Date; onDeadline: 'stop' | 'wait' }
}

type Trx = Transaction<Schema>

/** Marks a locked slot. Marks that stand keep their time; the history gets a row when the scheduling state changes. */
export const markSlot = async (
  trx: Trx,
  slot: Attachment,
  { cause, reason, drain }: SchedulingChange,
): Promise<SchedulingMarks & { now: Date }> => {
  const marks = await trx
    .updateTable('runtime_node_attachments')
    .set({
      updated_at: sql`now()`,
      ...(cause === 'uncordon'
        ? { cordoned_at: null, drain_requested_at: null, drain_deadline: null, on_deadline: null }
        : { cordoned_at: sql<Date>`coalesce(cordoned_at, now())` }),
      ...(drain && {
        drain_requested_at: sql<Date>`coalesce(drain_requested_at, now())`,
        drain_deadline: drain.deadline,
        on_deadline: drain.onDeadline,
      }),
    })
    .where('id', '=', slot.id)
    .returning(['cordoned_at', 'drain_requested_at', 'drain_deadline', 'on_deadline', sql<Date>`now()`.as('now')])
    .executeTakeFirstOrThrow()
  const [before, after]: Scheduling[] = [schedulingOf(slot), schedulingOf(marks)]
  if (before !== after && after !== undefined) {
    await recordTransition(trx, {
      node_id: slot.node_id,
      session_id: slot.session_id,
      axis: 'scheduling',
      from_state: before ?? null,
      to_state: after,
      cause,
      reason: reason ?? null,
    })
  }
  return marks
}
