import type { ClientBase } from 'pg'

/** The first line of a statement that is planned once a connection; the name is unique among all such statements. */
const PREPARED = /^\s*\/\* prepared: ([a-z_]+) \*\//

type Query = (text: unknown, values?: unknown, ...rest: unknown[]) => unknown

/**
 * Makes a connection keep the plan of a statement that begins with `/* prepared: name *\/`. For statements of many joins that run
 * all the time: planning the one for heartbeats costs 2 ms, as much as running it for 80 nodes. Its text must never vary. A pooler
 * before Postgres must know prepared statements, as PgBouncer does from 1.21 on.
 */
export const keepPlans = (client: ClientBase): void => {
  const query = client.query.bind(client) as Query
  const prepared: Query = (text, values, ...rest) => {
    const name = typeof text === 'string' ? PREPARED.exec(text)?.[1] : undefined
    return name === undefined ? query(text, values, ...rest) : query({ name, text, values }, ...rest)
  }
  client.query = prepared as typeof client.query
}
