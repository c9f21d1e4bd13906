import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { loadOrCreateNodeId, openStateDir } from './state-dir.ts'

const temporaryDir = () => {
  const path = mkdtempSync(join(tmpdir(), 'sonde-state-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

const modeOf = (path: string): number => statSync(path).mode & 0o777

/** Another process that opens the directory, tells the outcome, and holds it until it is killed. */
const openElsewhere = async (path: string): Promise<{ child: ChildProcess; outcome: string }> => {
  const script = `
    const { openStateDir } = await import(${JSON.stringify(new URL('state-dir.ts', import.meta.url).href)})
    try {
      console.log(openStateDir(process.argv[1]).nodeId)
    } catch (error) {
      console.log(error.message)
    }
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [outcome] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, outcome }
}

const end = async (child: ChildProcess): Promise<void> => {
  child.kill('SIGKILL')
  await once(child, 'close')
}

test('a new directory is private and gets a node id that stays', () => {
  using parent = temporaryDir()
  const path = join(parent.path, 'deep', 'state')
  let nodeId: string
  {
    using opened = openStateDir(path)
    nodeId = opened.nodeId
    expect(nodeId).toMatch(/^node-[0-9a-f]{32}$/)
    expect(modeOf(path)).toBe(0o700)
    expect(modeOf(join(path, 'node-id'))).toBe(0o600)
    expect(modeOf(join(path, 'daemon.lock'))).toBe(0o600)
  }
  using again = openStateDir(path)
  expect(again.nodeId).toBe(nodeId)
})

test('two directories get two node ids', () => {
  using one = temporaryDir()
  using other = temporaryDir()
  expect(loadOrCreateNodeId(one.path)).not.toBe(loadOrCreateNodeId(other.path))
})

test('a second opener is told who holds the directory, until that one lets go', () => {
  using dir = temporaryDir()
  {
    using _held = openStateDir(dir.path)
    expect(() => openStateDir(dir.path)).toThrow(`pid ${process.pid}`)
    expect(() => openStateDir(dir.path)).toThrow('SONDE_STATE_DIR')
  }
  using again = openStateDir(dir.path)
  expect(again.nodeId).toMatch(/^node-/)
})

test('a damaged node id is not replaced in silence', () => {
  using dir = temporaryDir()
  writeFileSync(join(dir.path, 'node-id'), 'node-12\n')
  expect(() => openStateDir(dir.path)).toThrow('node-id does not hold a node id')
  expect(readFileSync(join(dir.path, 'node-id'), 'utf8')).toBe('node-12\n')
  expect(readdirSync(dir.path)).toEqual(['node-id'])
})

test('a lock whose pid was given to another process is stale', () => {
  using dir = temporaryDir()
  writeFileSync(join(dir.path, 'daemon.lock'), `${JSON.stringify({ pid: process.pid, started: '1', key: 'x' })}\n`)
  using opened = openStateDir(dir.path)
  expect(readFileSync(join(dir.path, 'daemon.lock'), 'utf8')).toContain(`"pid":${process.pid}`)
  expect(opened.nodeId).toMatch(/^node-/)
})

test.each(['', 'nonsense', '{"pid":-1,"started":null}'])('a lock that says %j is stale', (content) => {
  using dir = temporaryDir()
  writeFileSync(join(dir.path, 'daemon.lock'), content)
  using opened = openStateDir(dir.path)
  expect(opened.nodeId).toMatch(/^node-/)
})

test('of processes that find the lock of a killed one at the same time, exactly one takes it over', async () => {
  using dir = temporaryDir()
  const first = await openElsewhere(dir.path)
  await end(first.child)
  const racers = await Promise.all(Array.from({ length: 5 }, () => openElsewhere(dir.path)))
  try {
    const winners = racers.filter((racer) => racer.outcome === first.outcome)
    expect(winners).toHaveLength(1)
    for (const racer of racers) {
      if (racer !== winners[0]) expect(racer.outcome).toContain(`Another daemon (pid ${winners[0]?.child.pid})`)
    }
    expect(readdirSync(dir.path).toSorted()).toEqual(['daemon.lock', 'node-id'])
  } finally {
    await Promise.all(racers.map((racer) => end(racer.child)))
  }
})
