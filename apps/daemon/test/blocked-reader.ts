import { systemClock } from '@sonde/contracts'
import { startGuard } from '../src/guard/guard.ts'
import { IMPACT_DEFAULTS } from '../src/guard/impact.ts'
import { OwnTraffic } from '../src/own-traffic.ts'
import { parseServerAddress } from '../src/server-address.ts'
import { RedisMonitor } from '../src/source/redis-monitor.ts'
import type { SourceEnd } from '../src/source/source.ts'

/**
 * A reader whose thread stops: opens MONITOR at the server named by its argument, then does nothing at all until its parent
 * writes to the shared memory that it has no access to, that is for `BLOCKED_MS`. Tells over IPC how its reading ended.
 */
const url = process.argv[2] ?? ''
const blockedMs = Number(process.env['BLOCKED_MS'])
const guard = startGuard({ limits: IMPACT_DEFAULTS, nodeId: 'node-00000000000000000000000000000001' })
const ended = Promise.withResolvers<SourceEnd>()
const address = parseServerAddress(url, 'the argument')
const monitor = new RedisMonitor({
  address,
  clientName: 'sonde:blocked',
  dialect: 'bracket',
  maxLineBytes: 2 ** 20,
  own: new OwnTraffic('blocked'),
  clock: systemClock,
  guard: { open: (onImpact) => guard.guard(address, onImpact), lagMs: IMPACT_DEFAULTS.lagMs },
})
await monitor.open({ line: () => undefined, ended: ended.resolve })
await new Promise<void>((resolve) => process.send?.({ kind: 'reading' }, () => resolve()))
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockedMs)
const end = await ended.promise
await new Promise<void>((resolve) => process.send?.({ kind: 'ended', ...end }, () => resolve()))
await guard[Symbol.asyncDispose]()
process.disconnect?.()
