import { describe, expect, test } from 'vitest'
import { identityOf, isRunning } from './process-identity.ts'
import { parseRunFile, reconcile, type NotedProcess, type RunFile } from './run-file.ts'

const noted = (pid: number, name = `child ${pid}`): NotedProcess => ({
  name,
  pid,
  startTime: `t${pid}`,
  stopSignal: 'SIGTERM',
})
const run: RunFile = {
  up: { pid: 100, startTime: 't100' },
  processes: [noted(101), noted(102)],
  captureId: 'c1',
}
const alive =
  (...pids: number[]) =>
  ({ pid }: { pid: number }) =>
    pids.includes(pid)

describe('reconcile', () => {
  test('without a run.json the data directory is free', () => {
    expect(reconcile(undefined, alive())).toEqual({ kind: 'free' })
  })

  test('a run that lives keeps its data directory, whatever became of its children', () => {
    expect(reconcile(run, alive(100))).toEqual({ kind: 'running', pid: 100 })
  })

  test('of a run that was killed, the processes that still live are left over', () => {
    expect(reconcile(run, alive(102))).toEqual({ kind: 'stale', leftovers: [noted(102)], captureId: 'c1' })
    expect(reconcile(run, alive())).toEqual({ kind: 'stale', leftovers: [], captureId: 'c1' })
  })
})

test('a run.json survives being written and read', () => {
  expect(parseRunFile(JSON.stringify(run))).toEqual(run)
})

test.each(['', 'null', '{}', '{"up":{"pid":"7"},"processes":[]}', '{"up":{"pid":1},"processes":[]}', '{"up":'])(
  'a run.json of %j counts as absent',
  (text) => {
    expect(parseRunFile(text)).toBeUndefined()
  },
)

test('entries that could name any process are dropped: no kill(0), no kill(-1), no unknown signal', () => {
  const processes = [noted(0), noted(-1), { ...noted(7), stopSignal: 'SIGSTOP' }, { pid: 8 }, noted(9)]
  expect(parseRunFile(JSON.stringify({ ...run, processes }))?.processes).toEqual([noted(9)])
})

test('a pid that was given out again is another process', () => {
  const own = identityOf(process.pid)
  expect(isRunning(own)).toBe(true)
  expect(isRunning({ ...own, startTime: '1' })).toBe(false)
  expect(isRunning({ ...own, startTime: undefined })).toBe(false)
})
