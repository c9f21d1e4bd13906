import { execFileSync } from 'node:child_process'
import {
  constants,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test as base, expect } from 'vitest'
import { writeOutput, type OutputJob } from './output-file.ts'

const test = base.extend('dir', ({ task: _task }, { onCleanup }) => {
  const dir = mkdtempSync(join(tmpdir(), 'sonde-export-'))
  onCleanup(() => rmSync(dir, { recursive: true, force: true }))
  return dir
})

const write = (path: string, fill: OutputJob['fill'], signal = new AbortController().signal) =>
  writeOutput({ path, fill, signal })
const text = (words: string) => (stream: Writable) => pipeline(Readable.from([words]), stream)
const broken = (stream: Writable) =>
  pipeline(async function* () {
    yield 'half'
    throw new Error('it broke')
  }, stream)

test('a file is for its owner alone, appears when it is whole, and keeps its mode when it is replaced', async ({
  dir,
}) => {
  const path = join(dir, 'f')
  await write(path, async (stream) => {
    expect(readdirSync(dir)).not.toContain('f')
    await text('one')(stream)
  })
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['one', 0o600])
  execFileSync('chmod', ['640', path])
  await write(path, text('two'))
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['two', 0o640])
  expect(readdirSync(dir)).toEqual(['f'])
})

test('a failure leaves the file as it was and nothing beside it, and a .part of somebody else alone', async ({
  dir,
}) => {
  const path = join(dir, 'f')
  writeFileSync(path, 'before')
  writeFileSync(`${path}.part`, 'not ours')
  await expect(write(path, broken)).rejects.toThrow('it broke')
  expect(readdirSync(dir).toSorted()).toEqual(['f', 'f.part'])
  expect(readFileSync(path, 'utf8')).toBe('before')
  await write(path, text('after'))
  expect(readFileSync(`${path}.part`, 'utf8')).toBe('not ours')
})

test('two writers of one file do not disturb each other', async ({ dir }) => {
  const path = join(dir, 'f')
  await Promise.all([write(path, text('a'.repeat(1e6))), write(path, text('b'.repeat(1e6)))])
  expect(readFileSync(path, 'utf8')).toMatch(/^(a{1000000}|b{1000000})$/)
  expect(readdirSync(dir)).toEqual(['f'])
})

test('the target of a link is written, also one that is not there yet, and the link stays', async ({ dir }) => {
  const [file, link, second] = ['f', 'link', 'second'].map((name) => join(dir, name)) as [string, string, string]
  symlinkSync('f', link)
  symlinkSync(link, second)
  for (const words of ['new', 'replaced']) {
    await write(second, text(words))
    expect(readFileSync(file, 'utf8')).toBe(words)
  }
  expect([readlinkSync(link), readlinkSync(second)]).toEqual(['f', link])
  expect(readdirSync(dir).toSorted()).toEqual(['f', 'link', 'second'])
})

test('links in a circle are a failure', async ({ dir }) => {
  symlinkSync('b', join(dir, 'a'))
  symlinkSync('a', join(dir, 'b'))
  await expect(write(join(dir, 'a'), text('x'))).rejects.toMatchObject({ code: 'ELOOP' })
})

test('a device is written into and stays a device', async () => {
  await write('/dev/null', text('gone'))
  expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true)
})

test('a fifo is written into and stays a fifo', async ({ dir }) => {
  const path = join(dir, 'fifo')
  execFileSync('mkfifo', [path])
  const [words] = await Promise.all([
    open(path, 'r').then(async (reader) => {
      const all = await reader.readFile('utf8')
      await reader.close()
      return all
    }),
    write(path, text('through')),
  ])
  expect(words).toBe('through')
  expect(lstatSync(path).isFIFO()).toBe(true)
  expect(readdirSync(dir)).toEqual(['fifo'])
})

test('the wait for the reader of a fifo, and for a slow one, ends with the signal', async ({ dir }) => {
  const path = join(dir, 'fifo')
  execFileSync('mkfifo', [path])
  const stop = new AbortController()
  const waiting = write(path, text('x'), stop.signal)
  stop.abort(new Error('stopped'))
  await expect(waiting).rejects.toThrow('stopped')

  const reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const slow = new AbortController()
  const { promise: full, resolve } = Promise.withResolvers<void>()
  const endless = write(path, (stream) => {
    stream.write(Buffer.alloc(2 ** 20))
    const source = new Readable({ read: () => resolve() })
    return pipeline(source, stream, { signal: slow.signal })
  })
  await full
  slow.abort(new Error('stopped'))
  await expect(endless).rejects.toThrow(/aborted|stopped/)
  await reader.close()
})

test('a failure names the file that was asked for', async ({ dir }) => {
  const path = join(dir, 'missing', 'f')
  const refused = await write(path, text('x')).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'ENOENT', path })
  expect(String(refused)).not.toContain('.part')
})

test('a folder is no file', async ({ dir }) => {
  await expect(write(dir, text('x'))).rejects.toMatchObject({ code: 'EISDIR' })
})
