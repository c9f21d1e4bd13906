import type { Database } from '@sonde/database'
import fc from 'fast-check'
import { sql } from 'kysely'
import { newModel } from '../../test/model/node-model.ts'
import { nodeCommands } from '../../test/model/node-commands.ts'
import type { Real } from '../../test/model/node-check.ts'
import { newNodeId } from '../../test/node-support.ts'
import { addMember, makePerson, makeSession, serverTest } from '../../test/support.ts'

const RUNS = 60
const MOST_COMMANDS = 40

/** Empties the registry, so that each run starts from nothing. */
const reset = async ({ db }: Database): Promise<void> => {
  await sql`truncate runtime_node_transitions, runtime_node_presence, node_targets, service_state`.execute(db)
  // Tables that others refer to; with them a truncate would empty the tokens too.
  await sql`delete from runtime_node_attachments`.execute(db)
  await sql`delete from runtime_nodes`.execute(db)
}

serverTest(
  'any sequence of calls, sweeps, pauses and clones does what the model says, and every invariant holds after each step',
  { timeout: 120_000 },
  async ({ database, server }) => {
    const ids = [newNodeId(), newNodeId()]
    const people = {
      owner: await makePerson(database, 'owner'),
      operator: await makePerson(database, 'operator'),
      stranger: await makePerson(database, 'stranger'),
    }
    const instances = Array.from({ length: 3 }, () => crypto.randomUUID())
    const setUp = async (): Promise<{ model: ReturnType<typeof newModel>; real: Real }> => {
      await reset(database)
      const sessions = { a: await makeSession(database, people.owner), b: await makeSession(database, people.owner) }
      for (const sessionId of [sessions.a, sessions.b]) {
        await addMember(database, sessionId, { person: people.operator, role: 'operator' })
      }
      await sql`delete from session_memberships where session_id not in (${sessions.a}, ${sessions.b})`.execute(
        database.db,
      )
      return { model: newModel(), real: { url: server.url, database, people, sessions, instances } }
    }
    // A failure prints its seed; MODEL_SEED runs it again and shrinks it.
    const seed = process.env['MODEL_SEED']
    await fc.assert(
      fc.asyncProperty(
        fc.commands(nodeCommands(ids), { maxCommands: MOST_COMMANDS, size: 'max' }),
        async (commands) => {
          const { model, real } = await setUp()
          await fc.asyncModelRun(() => ({ model, real }), commands)
        },
      ),
      { numRuns: RUNS, endOnFailure: seed === undefined, ...(seed !== undefined && { seed: Number(seed) }) },
    )
  },
)
