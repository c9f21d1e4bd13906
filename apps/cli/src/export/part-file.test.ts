import { createHash } from 'node:crypto'
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test as base, expect } from 'vitest'
import { UsageError } from '../core/failure.ts'
import { PartFile } from './part-file.ts'
import type { ExportWanted } from './request-export.ts'

const test = base.extend('dir', ({ task: _task }, { onCleanup }) => {
  const dir = mkdtempSync(join(tmpdir(), 'sonde-part-'))
  onCleanup(() => rmSync(dir, { recursive: true, force: true }))
  return dir
})

const WANTED: ExportWanted = { captureId: 'c', format: 'csv', filter: 'cmd:GET', segments: undefined }
const put = async (part: PartFile, text: string, hasBeginning: boolean) =>
  await pipeline(Readable.from([text]), await part.open({ cursor: 'AQ' }, hasBeginning))

test('what has come stays under its own name until the file is whole', async ({ dir }) => {
  const file = join(dir, 'f')
  const part = await PartFile.at(file, WANTED)
  expect(await part.beginning()).toBeUndefined()
  await put(part, 'one\ntwo\nth', false)
  expect(readdirSync(dir).toSorted()).toEqual(['f.part', 'f.part.json'])
  expect([statSync(`${file}.part`).mode & 0o777, statSync(`${file}.part.json`).mode & 0o777]).toEqual([0o600, 0o600])

  const again = await PartFile.at(file, WANTED)
  const sha256 = createHash('sha256').update('one\ntwo\nth').digest('hex')
  expect(await again.beginning()).toEqual({ cursor: 'AQ', offset: 10, sha256, lines: 2 })
  await put(again, 'ree\n', true)
  await again.finish()
  expect(readdirSync(dir)).toEqual(['f'])
  expect(readFileSync(file, 'utf8')).toBe('one\ntwo\nthree\n')
})

test('the beginning of another export is not gone on with, nor is it lost', async ({ dir }) => {
  const file = join(dir, 'f')
  await put(await PartFile.at(file, WANTED), 'one', false)
  for (const other of [{ captureId: 'd' }, { format: 'raw' }, { filter: undefined }, { segments: '1' }] as const) {
    const refused = (await PartFile.at(file, { ...WANTED, ...other })).beginning()
    await expect(refused).rejects.toThrow(UsageError)
    await expect(refused).rejects.toThrow('f.part is the beginning of another export')
  }
  expect(readFileSync(`${file}.part`, 'utf8')).toBe('one')
  writeFileSync(`${file}.part.json`, 'rubbish')
  await expect((await PartFile.at(file, WANTED)).beginning()).rejects.toThrow(UsageError)
})

test('a beginning without bytes is one, too', async ({ dir }) => {
  const file = join(dir, 'f')
  await put(await PartFile.at(file, WANTED), 'one', false)
  rmSync(`${file}.part`)
  expect(await (await PartFile.at(file, WANTED)).beginning()).toMatchObject({ offset: 0, lines: 0 })
})

test('a link stays, a file that is replaced keeps its mode, and what is no file is refused', async ({ dir }) => {
  const [file, link] = [join(dir, 'f'), join(dir, 'link')]
  writeFileSync(file, 'before', { mode: 0o640 })
  symlinkSync('f', link)
  const part = await PartFile.at(link, WANTED)
  await put(part, 'after', false)
  expect(readFileSync(file, 'utf8')).toBe('before')
  await part.finish()
  expect([readFileSync(link, 'utf8'), readlinkSync(link), statSync(file).mode & 0o777]).toEqual(['after', 'f', 0o640])
  await expect(PartFile.at('/dev/null', WANTED)).rejects.toThrow(UsageError)
})
