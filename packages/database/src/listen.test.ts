import { once } from 'node:events'
import { createServer } from 'node:net'
import { ManualClock, poll, portOf, startFaultProxy } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { listen } from './listen.ts'
import type { Database } from './open.ts'

const notify = async ({ db }: Database, channel: string, payload: string): Promise<void> => {
  await sql`select pg_notify(${channel}, ${payload})`.execute(db)
}

const through = (url: string, port: number): string => {
  const proxied = new URL(url)
  proxied.port = String(port)
  return proxied.href
}

const record = () => {
  const states: string[] = []
  const payloads: string[] = []
  return {
    states,
    payloads,
    onState: (state: string): void => void states.push(state),
    onNotify: (payload: string): void => void payloads.push(payload),
  }
}

dbTest(
  'notifications arrive in order, of the named channel only, whatever characters its name has',
  async ({ database }) => {
    const seen = record()
    const channel = 'odd "name"'
    await using listener = listen({ url: database.url, channel, ...seen })
    expect(listener.healthy).toBe(false)
    await poll(() => listener.healthy, { what: 'the subscription' })
    await notify(database, 'another', 'not for us')
    await notify(database, channel, 'one')
    await notify(database, channel, '')
    await notify(database, channel, 'three')
    await poll(() => seen.payloads.length === 3, { what: 'three notifications' })
    expect(seen.payloads).toEqual(['one', '', 'three'])
    expect(seen.states).toEqual(['connected'])
  },
)

dbTest('a cut connection is told of, and made again by itself', async ({ database }) => {
  const seen = record()
  await using proxy = await startFaultProxy({ port: Number(new URL(database.url).port) })
  const url = through(database.url, proxy.port)
  await using listener = listen({ url, channel: 'cut', ...seen, random: () => 0.1 })
  for (let round = 1; round <= 3; round += 1) {
    await poll(() => listener.healthy, { what: `the subscription of round ${round}` })
    await notify(database, 'cut', `round ${round}`)
    await poll(() => seen.payloads.length === round, { what: 'the notification' })
    proxy.cut()
    await poll(() => seen.states.filter((state) => state === 'disconnected').length === round, { what: 'the loss' })
  }
  expect(seen.payloads).toEqual(['round 1', 'round 2', 'round 3'])
  expect(seen.states.slice(0, 4)).toEqual(['connected', 'disconnected', 'connected', 'disconnected'])
})

dbTest('a server that ends its session is survived', async ({ database }) => {
  const seen = record()
  await using listener = listen({ url: database.url, channel: 'ended', ...seen, random: () => 0 })
  await poll(() => listener.healthy, { what: 'the subscription' })
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'sonde-listen' and datname = current_database()`.execute(database.db)
  await poll(() => seen.states.length >= 3 && listener.healthy, { what: 'the next subscription' })
  expect(seen.states).toEqual(['connected', 'disconnected', 'connected'])
})

dbTest('a connection that died without a word is noticed by the probe', async ({ database }) => {
  const clock = new ManualClock()
  await using proxy = await startFaultProxy({ port: Number(new URL(database.url).port) })
  const url = through(database.url, proxy.port)
  await using listener = listen({ url, channel: 'mute', onNotify: () => {}, clock, random: () => 0 })
  await poll(() => listener.healthy, { what: 'the subscription' })
  proxy.pause()
  clock.advance(15_000)
  expect(listener.healthy).toBe(true)
  clock.advance(5_000)
  await poll(() => !listener.healthy, { what: 'the probe to fail' })
  proxy.cut()
  await proxy.resume()
  await poll(
    () => {
      clock.advance(100)
      return listener.healthy
    },
    { what: 'the next subscription' },
  )
})

test('a server that takes the connection and says nothing does not hold up the end', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const port = portOf(silent)
  const accepted = once(silent, 'connection')
  const begun = performance.now()
  {
    await using listener = listen({ url: `postgres://nobody@127.0.0.1:${port}/none`, channel: 'x', onNotify: () => {} })
    await accepted
    expect(listener.healthy).toBe(false)
  }
  expect(performance.now() - begun).toBeLessThan(2_000)
  silent.close()
})

test('a server that is away is tried again with growing, jittered pauses, and ended at once', async () => {
  const clock = new ManualClock()
  const pauses: number[] = []
  {
    await using listener = listen({
      url: 'postgres://nobody@127.0.0.1:1/none',
      channel: 'away',
      onNotify: () => {},
      clock,
      random: () => 0.5,
    })
    for (let attempt = 0; attempt < 8; attempt += 1) {
      await poll(() => clock.pending === 1, { what: `the pause after attempt ${attempt}`, everyMs: 1 })
      pauses.push(clock.nextInMs ?? -1)
      clock.advance(clock.nextInMs ?? 0)
    }
    expect(listener.healthy).toBe(false)
  }
  expect(pauses).toEqual([50, 100, 200, 400, 800, 1_600, 2_500, 2_500])
  expect(clock.pending).toBe(0)
})

dbTest('an aborted signal ends the subscription and its connection', async ({ database }) => {
  const controller = new AbortController()
  const channel = 'aborted'
  await using listener = listen({ url: database.url, channel, onNotify: () => {}, signal: controller.signal })
  await poll(() => listener.healthy, { what: 'the subscription' })
  controller.abort()
  await poll(() => !listener.healthy, { what: 'the end' })
  const open = async (): Promise<boolean> => {
    const { rows } = await sql`select 1 from pg_stat_activity
      where application_name = 'sonde-listen' and datname = current_database()`.execute(database.db)
    return rows.length > 0
  }
  await poll(async () => !(await open()), { what: 'the connection to close' })
})
