import { heartbeatInput } from '@sonde/contracts'
import { openDatabase } from '@sonde/database'
import { initTRPC } from '@trpc/server'
import { createHTTPServer } from '@trpc/server/adapters/standalone'
import { sql, type Kysely } from 'kysely'

/** What the usual way is measured against: one call over HTTP and one upsert for each beat, and no checks at all. */
interface NaiveSchema {
  naive_presence: { node_id: string; last_heartbeat_at: Date; health_state: string }
}

const database = openDatabase({ url: process.env['DATABASE_URL'] ?? '' })
const db = database.db as unknown as Kysely<NaiveSchema>
const t = initTRPC.create()
const router = t.router({
  heartbeat: t.procedure.input(heartbeatInput).mutation(async ({ input }) => {
    const beat = { last_heartbeat_at: sql<Date>`now()`, health_state: input.healthState }
    await db
      .insertInto('naive_presence')
      .values({ node_id: input.nodeId, ...beat })
      .onConflict((conflict) => conflict.column('node_id').doUpdateSet(beat))
      .execute()
    return { liveness: input.healthState }
  }),
})

const server = createHTTPServer({ router })
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  process.send?.({ kind: 'listening', url: `http://127.0.0.1:${port}` })
})
process.on('SIGTERM', () => process.exit())
process.on('disconnect', () => process.exit())
