import { heartbeatInput, type HeartbeatInput, type HeartbeatResult } from '@sonde/contracts'
import type { Principal } from '../core/authenticate.ts'
import type { QuickCall } from '../core/quick-call.ts'
import type { CallContext } from '../core/trpc.ts'
import { heartbeat } from './heartbeat.ts'

/** A heartbeat on a connection, which goes on with the credential that the beat may have brought. */
export const beatOn = async (
  { resources, peer }: CallContext,
  call: { principal: Principal; input: HeartbeatInput },
): Promise<HeartbeatResult> => {
  const verdict = await heartbeat({ resources, ...call })
  if (verdict.credential) peer.token = verdict.credential.token
  return verdict
}

/** Nearly all messages of a fleet at rest are beats. */
export const quickBeat: QuickCall = {
  path: 'runtimeNode.heartbeat',
  run: ({ ctx, principal, input }) => beatOn(ctx, { principal, input: heartbeatInput.parse(input) }),
}
