import type { Database } from '@sonde/database'
import type { Check, FleetPlace, Stage } from '@sonde/testing'
import { sql } from 'kysely'

/** One part of the drill, on a stage of its own. */
export interface Scene {
  name: string
  /** Settings of its control plane. */
  env?: Record<string, string>
  run: (stage: Stage) => Promise<Check[]>
}

/** What a scene came to. One that broke off is a check that failed. */
export const play = async ({ name, run }: Scene, stage: Stage, note: (line: string) => void): Promise<Check[]> => {
  note(`${name}: begins`)
  const checks = await run(stage).catch((error: unknown): Check[] => [
    { name, ok: false, detail: error instanceof Error ? error.message : String(error) },
  ])
  for (const check of checks) note(`${name}: ${check.name} ${check.ok ? 'ok' : 'FAILED'}, ${check.detail}`)
  return checks
}

export const placeOf = ({ server, owner }: Stage): FleetPlace => ({ url: server.url, ...owner })

/** An announcement by the sweep. */
export interface Announcement {
  nodeId: string
  to: string
  /** By the database's clock, which is this machine's, in milliseconds since 1970. */
  at: number
  /** Since the node's last beat. */
  silentMs: number
}

export const announcements = async ({ db }: Database): Promise<Announcement[]> => {
  const { rows } = await sql<Announcement>`
    select t.node_id as "nodeId", t.to_state as "to", (extract(epoch from t.at) * 1000)::float8 as at,
      (extract(epoch from t.at - p.last_heartbeat_at) * 1000)::float8 as "silentMs"
    from runtime_node_transitions t join runtime_node_presence p using (node_id)
    where t.cause = 'sweep' order by t.id`.execute(db)
  return rows
}

/** That nobody was announced offline but `dead`. Times are told from `since`. */
export const noFalseOffline = (
  name: string,
  all: readonly Announcement[],
  { dead, since }: { dead: ReadonlySet<string>; since: number },
): Check => {
  const wrong = all.filter(({ nodeId, to }) => to === 'offline' && !dead.has(nodeId))
  const times = wrong.slice(0, 5).map(({ at }) => seconds(at - since))
  return {
    name,
    ok: wrong.length === 0,
    detail: `${wrong.length} false verdicts offline${times.length > 0 ? `, after ${times.join(', ')}` : ''}`,
  }
}

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
