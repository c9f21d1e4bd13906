import { SondeError } from '@sonde/contracts'

/**
 * The one negative of `runtimeNode.*`: the same bytes for an unknown node, another's node, an unknown session, a session
 * that the caller is no member of, and a role that may not attach.
 */
export const permissionDenied = (): SondeError => new SondeError('runtimenode.permission_denied')

/** To an older incarnation of the caller's own node. */
export const fenced = (nodeId: string): SondeError =>
  new SondeError('runtimenode.fenced', {
    message: `A newer incarnation of node ${nodeId} has taken over, or the call names another attachment. Attach again only as the newest one.`,
  })

/** The node is active in another session, which is never named. */
export const attachConflict = (nodeId: string): SondeError =>
  new SondeError('runtimenode.attach_conflict', {
    message: `Node ${nodeId} is active in another session. Detach it there first, then attach again.`,
    details: { reason: 'active_elsewhere', retryable: true },
  })

/** The node's place in the session is gone for good. */
export const attachRevoked = (nodeId: string, sessionId: string): SondeError =>
  new SondeError('runtimenode.attach_revoked', {
    message: `Node ${nodeId} was revoked in session ${sessionId} for good. Attach with a new node id.`,
  })
