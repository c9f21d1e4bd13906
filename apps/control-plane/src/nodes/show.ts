import { SHOWN_TRANSITIONS, type NodeDetail, type NodeShowInput } from '@sonde/contracts'
import type { Principal } from '../core/authenticate.ts'
import type { Resources } from '../core/resources.ts'
import { permissionDenied } from './refusal.ts'
import { toNode } from './roster.ts'
import { lastTransitions } from './store-history.ts'
import { readRoster } from './store-roster.ts'

/** One node of a session with its latest transitions. Throws the uniform `runtimenode.permission_denied`. */
export const show = async ({
  resources,
  principal,
  input,
}: {
  resources: Resources
  principal: Principal
  input: NodeShowInput
}): Promise<NodeDetail> => {
  const { db, config } = resources
  const [row] =
    (await readRoster(db, {
      sessionId: input.sessionId,
      callerId: principal.participantId,
      includeEnded: true,
      limit: 1,
      nodeId: input.nodeId,
    })) ?? []
  if (!row) throw permissionDenied()
  return { ...toNode(row, config.liveness), transitions: await lastTransitions(db, input, SHOWN_TRANSITIONS) }
}
