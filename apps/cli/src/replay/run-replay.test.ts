import { latin1Encode, MonitorLine, toJsonLine } from '@sonde/capture-format'
import { startCluster, startRedis } from '@sonde/testing'
import { requireRedis } from '@sonde/testing/redis-test'
import { expect, test as base } from 'vitest'
import type { ClassifyOptions } from './classify.ts'
import { compileDeclared } from './declared.ts'
import { ReplayReport } from './report.ts'
import { runReplay } from './run-replay.ts'
import { openTarget } from './target.ts'

const test = base.extend('redisServer', { auto: true }, requireRedis)

const T0 = 1_795_500_000_000_000
/** JSON lines, torn into pieces as a network does. */
async function* linesOf(lines: [ms: number, text: string][], pieceBytes = 100): AsyncGenerator<Buffer> {
  const line = new MonitorLine()
  const text = lines.map(([ms, rest]) => {
    const us = T0 + ms * 1000
    const stored = latin1Encode(`${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')} ${rest}`)
    return `${JSON.stringify(toJsonLine(stored, { segment: 0, target: 't:1', line }))}\n`
  })
  const all = Buffer.from(text.join(''))
  for (let at = 0; at < all.length; at += pieceBytes) yield all.subarray(at, at + pieceBytes)
}

const options = (isCluster: boolean, declared = '@read,@write'): ClassifyOptions => ({
  isDeclared: compileDeclared(declared),
  allowMasked: false,
  isCluster,
})
const never = new AbortController().signal

test('commands arrive in their order, on their databases, byte for byte, and errors are told by kind', async () => {
  await using redis = await startRedis()
  await using target = await openTarget(new URL(redis.url))
  expect(target.isCluster).toBe(false)
  const odd = String.raw`[0 a:1] "SET" "line\xe2\x80\xa8\n" "\x00\xff"`
  const pushes = Array.from({ length: 3000 }, (_, n): [number, string] => [
    2,
    `[${n % 2 === 0 ? 0 : 5} a:${n}] "RPUSH" "l" "${n}"`,
  ])
  const lines: [number, string][] = [
    [0, odd],
    [1, '[0 a:1] "MULTI"'],
    [1, '[0 a:1] "SET" "text" "secret-value"'],
    [1, '[0 lua] "SET" "by-script" "v"'],
    ...pushes,
    [3, '[0 a:1] "LPUSH" "text" "secret-value"'],
    [3, '[0 a:1] "FLUSHALL"'],
  ]
  const report = await runReplay({
    lines: linesOf(lines),
    options: options(false),
    speed: Infinity,
    signal: never,
    target,
  })
  expect(report.sent).toBe(3003)
  expect(Object.fromEntries(report.skipped)).toEqual({ never_sent: 1, from_script: 1, undeclared: 1 })
  expect(report.errors).toBe(1)
  expect(report.commands.get('LPUSH')).toEqual({ sent: 1, errors: { WRONGTYPE: 1 }, writes: true })
  expect(JSON.stringify([...report.commands])).not.toContain('secret')
  expect(await redis.command('EXISTS', 'by-script')).toBe(0)
  expect(await redis.command('STRLEN', 'line\u2028\n')).toBe(2)
  const even = Array.from({ length: 1500 }, (_, n) => String(2 * n))
  expect(await redis.command('LRANGE', 'l', '0', '-1')).toEqual(even)
})

test('without a target nothing is sent, and all is counted', async () => {
  const lines: [number, string][] = [
    [0, '[0 a:1] "GET" "k"'],
    [4000, '[0 a:1] "SET" "k" "v"'],
  ]
  const verbs: string[] = []
  const onCommand = ({ verb }: { verb: string }) => void verbs.push(verb)
  const report = await runReplay({ lines: linesOf(lines), options: options(false), speed: 1, signal: never, onCommand })
  expect(verbs).toEqual(['GET', 'SET'])
  expect({ sent: report.sent, writes: report.writes, ms: report.capturedMs }).toEqual({ sent: 2, writes: 1, ms: 4000 })
})

test('the pace is that of the capture times the speed, also where times step back', async () => {
  await using redis = await startRedis()
  await using target = await openTarget(new URL(redis.url))
  const lines: [number, string][] = [
    [0, '[0 a:1] "GET" "a"'],
    [600, '[0 a:1] "GET" "b"'],
    [500, '[0 a:1] "GET" "c"'],
    [1200, '[0 a:1] "GET" "d"'],
  ]
  const sentAt: number[] = []
  const started = performance.now()
  const onCommand = () => void sentAt.push(performance.now())
  const report = await runReplay({
    lines: linesOf(lines),
    options: options(false),
    speed: 3,
    signal: never,
    target,
    onCommand,
  })
  const after = sentAt.map((at) => at - started)
  // Timers round to a millisecond.
  expect(after[1]).toBeGreaterThanOrEqual(198)
  expect(after[2]).toBeGreaterThanOrEqual(198)
  expect(after[3]).toBeGreaterThanOrEqual(398)
  expect(report.lateness.max).toBeGreaterThan(0)
})

test('a server that dies ends the replay with the reason, and an abort ends the wait for the next command', async () => {
  await using redis = await startRedis()
  await using target = await openTarget(new URL(redis.url))
  const report = new ReplayReport()
  const endless = async function* () {
    for (let n = 0; ; n += 1) yield* linesOf([[n, `[0 a:1] "SET" "k${n}" "v"`]])
  }
  const lost = runReplay({
    lines: endless(),
    options: options(false),
    speed: 20,
    signal: never,
    target,
    report,
    onCommand: () => void (report.sent === 100 && redis.kill()),
  })
  await expect(lost).rejects.toThrow('The connection to the server was lost')

  const stop = new AbortController()
  const late: [number, string][] = [
    [0, '[0 a:1] "GET" "k"'],
    [3_600_000, '[0 a:1] "GET" "k"'],
  ]
  await using other = await startRedis()
  await using next = await openTarget(new URL(other.url))
  const onCommand = () => stop.abort(new Error('stopped'))
  const job = { lines: linesOf(late), options: options(false), speed: 1, signal: stop.signal, target: next, onCommand }
  await expect(runReplay(job)).rejects.toThrow('stopped')
})

test(
  'a cluster gets each command where its key lies, and what it cannot take is told',
  { timeout: 120_000 },
  async () => {
    await using cluster = await startCluster()
    const [first] = cluster.nodes
    await using target = await openTarget(new URL(`redis://127.0.0.1:${first!.port}`))
    expect(target.isCluster).toBe(true)
    const sets = Array.from({ length: 300 }, (_, n): [number, string] => [n, `[0 a:1] "SET" "k${n}" "${n}"`])
    // These lie on several members, and each must still come between what was sent before and after it.
    const both = Array.from({ length: 300 }, (_, n): [number, string] => [
      300,
      `[0 a:1] "MSET" "k${n}" "${n}" "k${(n + 1) % 300}" "${(n + 1) % 300}"`,
    ])
    const questions = Array.from({ length: 300 }, (_, n): [number, string] => [300, `[0 a:1] "APPEND" "k${n}" "?"`])
    const appends = Array.from({ length: 300 }, (_, n): [number, string] => [300, `[0 a:1] "APPEND" "k${n}" "!"`])
    const lines: [number, string][] = [
      ...sets,
      ...questions,
      ...both,
      ...appends,
      [301, '[0 a:1] "RENAME" "k1" "k2"'],
      [302, '[4 a:1] "GET" "k1"'],
    ]
    const report = await runReplay({
      lines: linesOf(lines),
      options: options(true),
      speed: Infinity,
      signal: never,
      target,
    })
    expect(report.commands.get('RENAME')?.errors).toEqual({ CROSSSLOT: 1 })
    expect({ sent: report.sent, errors: report.errors }).toEqual({ sent: 1201, errors: 1 })
    expect(Object.fromEntries(report.skipped)).toEqual({ database: 1 })
    const sizes = await Promise.all(cluster.nodes.map(async ({ process }) => Number(await process.command('DBSIZE'))))
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(300)
    expect(Math.min(...sizes)).toBeGreaterThan(0)
    const values: unknown[] = []
    for (const { process } of cluster.nodes) {
      for (const key of (await process.command('KEYS', '*')) as string[])
        values.push([key, await process.command('GET', key)])
    }
    expect(values.length).toBe(300)
    for (const [key, value] of values as [string, string][]) expect(value).toBe(`${key.slice(1)}!`)
  },
)
