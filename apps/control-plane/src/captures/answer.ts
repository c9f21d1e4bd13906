import { redactionRulesSchema, SondeError, type AnswerInput } from '@sonde/contracts'
import { inTransaction, type Schema } from '@sonde/database'
import { sql, type Transaction } from 'kysely'
import type { Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { requireActiveNode } from '../nodes/index.ts'
import { hashRules } from '../policies/index.ts'
import { advanceLocked, announce } from './advance.ts'
import { writeCommand } from './commands.ts'
import { isLive } from './lifecycle.ts'
import { changeSegment, lockCapture, type LockedCapture } from './segment-store.ts'
import type { SegmentRow } from './store.ts'

/** Takes a node's answer to a command; the same answer again changes nothing. */
export const answerCommand = async (resources: Resources, principal: Principal, input: AnswerInput): Promise<null> => {
  const { nodeId, epoch, commandId, result } = input
  const command = await resources.db
    .selectFrom('node_commands')
    .select(['capture_id', 'segment_no', 'kind'])
    .where('id', '=', commandId)
    .where('node_id', '=', nodeId)
    .executeTakeFirst()
  const nodes = new Set<string>()
  await inTransaction(resources.db, async (trx) => {
    nodes.clear()
    await requireActiveNode(trx, { principal, nodeId, epoch })
    if (!command) throw new SondeError('request.invalid', { message: 'There is no such command for this node.' })
    const locked = await lockCapture(trx, command.capture_id)
    const segment = locked?.segments.find((each) => each.segment_no === command.segment_no)
    if (!locked || !segment) throw new SondeError('capture.not_found')
    const { numUpdatedRows } = await trx
      .updateTable('node_commands')
      .set({ answered_at: sql`now()`, answer: JSON.stringify(result) })
      .where('id', '=', commandId)
      .where('answered_at', 'is', null)
      .executeTakeFirst()
    if (numUpdatedRows === 0n) return
    switch (result.kind) {
      case 'opened': {
        const { serverVersion, dialect, policy } = result
        if (!isRedacted(locked, policy?.sha256)) {
          const detail = 'the node did not prove that it redacts by the policy of the capture'
          await changeSegment(trx, segment, { event: 'refused', reason: 'policy_not_applied', detail })
          await discard(trx, segment, detail)
          nodes.add(nodeId)
          break
        }
        const set = {
          server_version: serverVersion,
          scanner_dialect: dialect,
          redaction_key: policy?.keyFingerprint ?? null,
        }
        const opened = await changeSegment(trx, segment, { event: 'opened', set })
        // The segment became final meanwhile: a late `opened` never revives it.
        if (!opened && !isLive(segment.status)) {
          await discard(trx, segment, segment.status)
          nodes.add(nodeId)
        }
        break
      }
      case 'refused':
        // Nothing will come: the ranges that were asked for are known to be missing.
        if (command.kind === 'segment.resend') {
          await changeSegment(trx, segment, { event: 'disproved', storage: 'incomplete' })
          break
        }
        await changeSegment(trx, segment, {
          event: 'refused',
          reason: isRefusalReason(result.code) ? result.code : 'monitor_open_failed',
          detail: result.detail,
        })
        break
      case 'running':
        await changeSegment(trx, segment, { event: 'begun' })
        break
      case 'acknowledged':
      case 'resent':
        break
    }
    for (const node of await advanceLocked(resources, trx, locked)) nodes.add(node)
  })
  if (command) announce(resources, command.capture_id, nodes)
  return null
}

/** Refusals of a daemon that are reasons of their own; any other is one of the server. */
const isRefusalReason = (code: string): code is 'impact_limit' | 'policy_not_applied' =>
  code === 'impact_limit' || code === 'policy_not_applied'

/** Whether the hash is that of the rules of the capture. Captures from before there were policies ask for none. */
const isRedacted = ({ capture }: LockedCapture, sha256: string | undefined): boolean =>
  capture.policy_revision === 0 || hashRules(redactionRulesSchema.parse(capture.policy)).toString('hex') === sha256

const discard = async (trx: Transaction<Schema>, segment: SegmentRow, why: string): Promise<void> => {
  const { capture_id: captureId, segment_no: segmentNo, node_id: nodeId } = segment
  if (nodeId !== null) await writeCommand(trx, nodeId, { kind: 'segment.discard', captureId, segmentNo, why })
}
