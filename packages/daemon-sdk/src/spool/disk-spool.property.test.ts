import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeChunk } from '@sonde/capture-format/chunk'
import { newId } from '@sonde/contracts'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { DiskSpool } from './disk-spool.ts'
import { MemorySpool } from './memory-spool.ts'
import type { SpooledChunk } from './spool.ts'

const captures = [newId(), newId()]
const ALL = { bytes: 2 ** 40, chunks: 2 ** 40, skip: () => false }

const chunkOf = async (captureId: string, seq: number, length: number): Promise<SpooledChunk> => {
  const lines = Buffer.from(`${String(seq).padEnd(length, 'x')}\n`)
  const fields = { captureId, segmentNo: 0, seq, lineCount: 1, firstEventUs: 1, lastEventUs: 1, policyRevision: 0 }
  return { captureId, segmentNo: 0, seq, bytes: await encodeChunk({ ...fields, dialect: 'bracket', lines }) }
}

type Step =
  | { kind: 'append'; capture: number; length: number }
  | { kind: 'acknowledge'; pick: number }
  | { kind: 'discard'; capture: number }
  | { kind: 'peek'; bytes: number; chunks: number }
  | { kind: 'crash' | 'close' }

const capture = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), capture, length: fc.nat(300) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('acknowledge' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('discard' as const), capture }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('peek' as const),
      bytes: fc.nat(2000),
      chunks: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('crash' as const, 'close' as const) }) },
)

const nameOf = ({ captureId, seq }: { captureId: string; seq: number }): string =>
  `${captures.indexOf(captureId)}/${seq}`

/** A crash goes on with a copy of the directory as it is at that moment: what was written is there, what was in memory is not. */
test('a disk spool gives what a memory spool gives, and after a crash at any point at least that, and never what was discarded', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const root = mkdtempSync(join(tmpdir(), 'sonde-spool-'))
      let life = 0
      let dir = join(root, '0')
      const dropped: DiskSpool[] = []
      let spool = await DiskSpool.open({ dir, maxBytes: 2 ** 20 })
      let model = new MemorySpool()
      const nextSeq = [0, 0]
      const bytesOf = new Map<string, Buffer>()
      try {
        for (const each of steps) {
          switch (each.kind) {
            case 'append': {
              const chunk = await chunkOf(captures[each.capture]!, nextSeq[each.capture]!++, each.length)
              bytesOf.set(nameOf(chunk), chunk.bytes)
              await Promise.all([spool.append(chunk), model.append(chunk)])
              break
            }
            case 'acknowledge': {
              const held = await model.peek(ALL)
              const chunk = held[each.pick % Math.max(1, held.length)]
              if (chunk) await Promise.all([spool.acknowledge(chunk), model.acknowledge(chunk)])
              break
            }
            case 'discard':
              await spool.discard(captures[each.capture]!, 0)
              await model.discard(captures[each.capture]!, 0)
              break
            case 'peek': {
              await spool.synced()
              const limit = { ...ALL, bytes: each.bytes, chunks: each.chunks }
              const [theirs, ours] = [await model.peek(limit), await spool.peek(limit)]
              expect(ours.map(nameOf)).toEqual(theirs.map(nameOf))
              for (const chunk of ours) expect(chunk.bytes.equals(bytesOf.get(nameOf(chunk))!)).toBe(true)
              break
            }
            case 'crash':
            case 'close': {
              const before = new Set((await model.peek(ALL)).map(nameOf))
              if (each.kind === 'close') await spool[Symbol.asyncDispose]()
              else {
                dropped.push(spool)
                life += 1
                cpSync(dir, join(root, String(life)), { recursive: true })
                dir = join(root, String(life))
              }
              spool = await DiskSpool.open({ dir, maxBytes: 2 ** 20 })
              const after = await spool.peek(ALL)
              const names = after.map(nameOf)
              // An acknowledgement may be lost in a crash, which costs a second sending.
              expect(names).toEqual(expect.arrayContaining([...before]))
              if (each.kind === 'close') expect(names.length).toBe(before.size)
              expect(new Set(names).size).toBe(names.length)
              for (const chunk of after) expect(chunk.bytes.equals(bytesOf.get(nameOf(chunk))!)).toBe(true)
              model = new MemorySpool()
              for (const chunk of await spool.peek(ALL)) await model.append(chunk)
              break
            }
          }
          for (const captureId of captures) expect(spool.bytes(captureId, 0)).toBe(model.bytes(captureId, 0))
        }
      } finally {
        await spool[Symbol.asyncDispose]()
        for (const each of dropped) await each[Symbol.asyncDispose]()
        rmSync(root, { recursive: true, force: true })
      }
    }),
    { numRuns: 60 },
  )
})
