import { newId } from '@sonde/contracts'
import type { IncomingMessage } from 'node:http'

const OURS = /^[A-Za-z0-9_-]{8,64}$/
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/

/** The caller's own request id (`x-request-id`, or the trace id of `traceparent`) when it is well-formed, else a new one. */
export const requestIdOf = (request: IncomingMessage): string => {
  const given = request.headers['x-request-id']
  if (typeof given === 'string' && OURS.test(given)) return given
  const trace = request.headers['traceparent']
  return (typeof trace === 'string' && TRACEPARENT.exec(trace)?.[1]) || newId()
}
