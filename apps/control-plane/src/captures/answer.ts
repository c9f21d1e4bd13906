import { SondeError, type AnswerInput } from '@sonde/contracts'
import { inTransaction } from '@sonde/database'
import { sql } from 'kysely'
import type { Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { requireActiveNode } from '../nodes/index.ts'
import { advanceLocked, announce } from './advance.ts'
import { writeCommand } from './commands.ts'
import { isLive } from './lifecycle.ts'
import { changeSegment, lockCapture } from './segment-store.ts'

/** Takes a node's answer to a command; the same answer again changes nothing. */
export const answerCommand = async (resources: Resources, principal: Principal, input: AnswerInput): Promise<null> => {
  const { nodeId, epoch, commandId, result } = input
  const command = await resources.db
    .selectFrom('node_commands')
    .select(['capture_id', 'segment_no'])
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
        const { serverVersion, dialect } = result
        const set = { server_version: serverVersion, scanner_dialect: dialect }
        const opened = await changeSegment(trx, segment, { event: 'opened', set })
        // The segment became final meanwhile: a late `opened` never revives it.
        if (!opened && !isLive(segment.status)) {
          const { capture_id: captureId, segment_no: segmentNo } = segment
          await writeCommand(trx, nodeId, { kind: 'segment.discard', captureId, segmentNo, why: segment.status })
          nodes.add(nodeId)
        }
        break
      }
      case 'refused':
        await changeSegment(trx, segment, { event: 'refused', reason: 'monitor_open_failed', detail: result.detail })
        break
      case 'running':
        await changeSegment(trx, segment, { event: 'begun' })
        break
      case 'acknowledged':
        break
    }
    for (const node of await advanceLocked(resources, trx, locked)) nodes.add(node)
  })
  if (command) announce(resources, command.capture_id, nodes)
  return null
}
