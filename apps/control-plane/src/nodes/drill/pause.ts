import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf, Fleet, poll, type Check, type Stage } from '@sonde/testing'
import { announcements, noFalseOffline, placeOf, seconds, type Announcement } from './scene.ts'

const NODES = 200
/** The breaker would hide a guard that fails. */
export const BREAKER_OFF = { SONDE_BREAKER_NODES: '1000000' }
/** From the first sweep after the pause on, silence counts anew: 62 s, and a sweep's period until that comes. */
const REPORT_MS = 67_000

/** Stops one of the two for a while. Afterwards only a node that died meanwhile may be announced offline. */
export const drillPause = async (
  stage: Stage,
  options: { what: 'control plane' | 'PostgreSQL'; forMs: number; seed: number },
): Promise<Check[]> => {
  const { what, forMs, seed } = options
  using fleet = new Fleet({ place: placeOf(stage), nodes: NODES, seed })
  await fleet.start()
  const stopped = what === 'PostgreSQL' ? [stage.postgres.pid, ...childrenOf(stage.postgres.pid)] : [stage.server.pid]
  // The postmaster first, so that it starts nothing new; and what was stopped goes on whatever happens here.
  for (const pid of stopped) process.kill(pid, 'SIGSTOP')
  try {
    await sleep(forMs)
    fleet.nodes[0]?.close()
  } finally {
    for (const pid of stopped.toReversed()) process.kill(pid, 'SIGCONT')
  }
  const resumed = Date.now()
  const deadId = fleet.nodes[0]?.nodeId ?? ''
  const isVerdict = ({ nodeId, to, at }: Announcement) => nodeId === deadId && to === 'offline' && at >= resumed
  const verdict = await poll(async () => (await announcements(stage.database)).find(isVerdict), {
    what: 'the dead node to be announced',
    everyMs: 500,
    timeoutMs: 2 * REPORT_MS,
  }).catch(() => undefined)
  // A sweep later nobody else has followed it.
  await sleep(6_000)
  const all = await announcements(stage.database)
  const silent = fleet.silentFor(30_000).filter((at) => at !== 0)
  const during = `stop of the ${what}`
  return [
    noFalseOffline(`no false offline after a ${during} for ${forMs / 1_000} s`, all, {
      dead: new Set([deadId]),
      since: resumed,
    }),
    {
      name: `a node that died during a ${during} is reported`,
      ok: verdict !== undefined && verdict.at - resumed <= REPORT_MS,
      detail: verdict ? `${seconds(verdict.at - resumed)} after its end` : 'never',
    },
    {
      name: `all others beat again after a ${during}`,
      ok: silent.length === 0,
      detail: `${NODES - 1 - silent.length} of ${NODES - 1}`,
    },
  ]
}
