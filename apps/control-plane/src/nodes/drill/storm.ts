import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet, median, poll, type Check, type Stage } from '@sonde/testing'
import { addOnlineNodes } from '../bench/presence-rows.ts'
import { announcements, noFalseOffline, placeOf, seconds } from './scene.ts'

const BACK_MS = 60_000
/** From then on a node that has not come back is offline. */
const OFFLINE_MS = 62_000

/** A control plane is killed under a large fleet and started again at once: all come back, and nobody is called dead. */
export const drillStorm = async (stage: Stage, { seed, nodes }: { seed: number; nodes: number }): Promise<Check[]> => {
  const ids = await addOnlineNodes(stage.database, stage.owner, { from: 0, to: nodes })
  using fleet = new Fleet({ place: placeOf(stage), nodes: ids.map((nodeId) => ({ nodeId, epoch: 1 })), seed })
  await fleet.start()
  const before = (await announcements(stage.database)).length
  const killed = Date.now()
  await stage.server.kill('SIGKILL')
  const back = fleet.watchReturns()
  await stage.server.restart()
  await poll(() => back.size === nodes, { what: 'all nodes to be back', timeoutMs: 2 * BACK_MS }).catch(() => undefined)
  const times = [...back.values()]
  const last = Math.max(...times)
  await sleep(Math.max(0, OFFLINE_MS - last))
  return [
    {
      name: `${nodes} nodes are back within 60 s of a kill`,
      ok: back.size === nodes && last <= BACK_MS,
      detail: `${back.size} back, half after ${seconds(median(times))}, the last after ${seconds(last)}`,
    },
    noFalseOffline('no false offline in the storm', (await announcements(stage.database)).slice(before), {
      dead: new Set(),
      since: killed,
    }),
  ]
}
