import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fleet, poll, startDaemon, type Check, type Stage } from '@sonde/testing'
import { sql } from 'kysely'
import { announcements, noFalseOffline, placeOf, seconds } from './scene.ts'

const NODES = 20
const REPORT_MS = 62_000
const BUSY_MS = 45_000
/** A clone is told with its next beat, at most a tenth more than a period away; the rest is for a busy machine. */
const TOLD_MS = 20_000

/** A node that dies, one that is cloned, and a daemon that is too busy to think, beside a fleet that is none of it. */
export const drillDeaths = async (stage: Stage, { seed }: { seed: number }): Promise<Check[]> => {
  using fleet = new Fleet({ place: placeOf(stage), nodes: NODES, seed })
  await fleet.start()
  const since = Date.now()
  const dead = new Set([fleet.nodes[0]?.nodeId ?? ''])
  fleet.nodes[0]?.close()
  const checks = await Promise.all([reported(stage, dead), cloned(stage, fleet), busy(stage)])
  return [
    ...checks,
    noFalseOffline('no false offline beside a death', await announcements(stage.database), { dead, since }),
  ]
}

const reported = async ({ database }: Stage, dead: ReadonlySet<string>): Promise<Check> => {
  const verdict = await poll(
    async () => (await announcements(database)).find(({ nodeId, to }) => dead.has(nodeId) && to === 'offline'),
    { what: 'the dead node to be announced', everyMs: 500, timeoutMs: 2 * REPORT_MS },
  ).catch(() => undefined)
  return {
    name: 'a node that is dead is reported within 62 s',
    ok: verdict !== undefined && verdict.silentMs <= REPORT_MS,
    detail: verdict ? `${seconds(verdict.silentMs)} after its last beat` : 'never',
  }
}

const cloned = async ({ database }: Stage, fleet: Fleet): Promise<Check> => {
  const told = await Promise.race([fleet.clone(1), sleep(TOLD_MS, undefined)])
  const newer = fleet.nodes[1]
  await poll(() => newer?.isOnline, { what: 'the clone to be online', timeoutMs: TOLD_MS })
  const { rows } = await sql<{ epoch: number; state: string }>`
    select epoch::int, state from runtime_node_attachments where node_id = ${newer?.nodeId}`.execute(database.db)
  const [slot] = rows
  return {
    name: 'of two with one id the newest epoch stays and the older is told',
    ok: told !== undefined && slot?.epoch === 2 && slot.state === 'online',
    detail: `${told === undefined ? 'not told' : `told after ${seconds(told)}`}, epoch ${slot?.epoch} is ${slot?.state}`,
  }
}

/** The real daemon, whose beats come from a thread of their own. */
const busy = async ({ server, database, owner }: Stage): Promise<Check> => {
  const stateDir = await mkdtemp(join(tmpdir(), 'sonde-drill-'))
  try {
    const loaded = new URL('busy-main-thread.ts', import.meta.url)
    await using daemon = await startDaemon({
      url: server.url,
      token: owner.token,
      stateDir,
      sources: ['--target', 'synthetic:'],
      env: {
        SONDE_SESSION: owner.sessionId,
        BUSY_MS: String(BUSY_MS),
        NODE_OPTIONS: `--import=${loaded.href}`,
      },
    })
    await daemon.kill('SIGUSR2')
    const whole = ({ code, stalledMs }: Record<string, unknown>) =>
      code === 'main_loop_stalled' && Number(stalledMs) > 0.9 * BUSY_MS
    const stalled = await poll(() => daemon.logs.find(whole), {
      what: 'main_loop_stalled',
      timeoutMs: 2 * BUSY_MS,
    }).catch(() => undefined)
    const told = (await announcements(database)).filter(({ nodeId }) => nodeId === daemon.nodeId)
    return {
      name: `a daemon whose main thread is busy for ${BUSY_MS / 1_000} s stays online, and says so`,
      ok: stalled !== undefined && told.length === 0,
      detail: `${told.map(({ to }) => to).join(', ') || 'online throughout'}, ${stalled ? `told of ${seconds(Number(stalled['stalledMs']))}` : 'never told'}`,
    }
  } finally {
    await rm(stateDir, { recursive: true, force: true })
  }
}
