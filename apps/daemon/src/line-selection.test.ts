import fc from 'fast-check'
import { ManualClock } from '@sonde/testing'
import { expect, test } from 'vitest'
import { scanInto, wireLine } from '../test/lines.ts'
import { BEGIN_US, identityHolds, startWriter, testSlice as slice } from '../test/writer.ts'
import { compileSelection } from './line-selection.ts'

const selectionOf = (fields: Omit<Parameters<typeof compileSelection>[0], 'segmentNo'>) =>
  compileSelection({ segmentNo: 0, ...fields })

test('a blank filter and no sample select nothing: every line is recorded', () => {
  expect(selectionOf({})).toBeUndefined()
  expect(selectionOf({ filter: ' \n' })).toBeUndefined()
})

test('own lines are own whatever the filter, and a line is filtered before it is sampled', () => {
  const select = selectionOf({ filter: 'cmd:GET', sampling: { every: 1000, by: 'key' } })!
  const { writer } = startWriter(new ManualClock(), { select })
  const scanner = scanInto(
    (line) => writer.line(line),
    ({ parsed }) => parsed.argc === 1,
  )
  for (let index = 0; index < 20; index += 1) {
    scanner.push(wireLine(BEGIN_US + index, 'PING'))
    scanner.push(wireLine(BEGIN_US + index, 'SET', `k${index}`, 'v'))
    scanner.push(wireLine(BEGIN_US + index, 'GET', `k${index}`))
  }
  const { ownTraffic, filtered, sampledOut, recorded } = writer.counters
  expect([ownTraffic, filtered, sampledOut + recorded]).toEqual([20, 20, 20])
  expect(sampledOut).toBeGreaterThan(15)
})

test('whatever is selected, the counters add up at any moment and exactly the selected lines are stored', () => {
  const lineArb = fc.record({
    verb: fc.constantFrom('GET', 'SET', 'PING'),
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e\n'),
    isOwn: fc.boolean(),
    isBroken: fc.boolean(),
  })
  const filter = fc.constantFrom('cmd:GET', 'key:[a-c] or error:yes', 'not key:a*', 'not (cmd:PING or cmd:SET)')
  fc.assert(
    fc.property(
      fc.array(lineArb, { maxLength: 60 }),
      fc.option(filter, { nil: undefined }),
      fc.option(fc.integer({ min: 2, max: 4 }), { nil: undefined }),
      (lines, text, every) => {
        const select = selectionOf({
          ...(text !== undefined && { filter: text }),
          ...(every !== undefined && { sampling: { every, by: 'key' } }),
        })
        const { writer, texts } = startWriter(new ManualClock(), {
          slice: slice({ lines: 5, lastLines: false }),
          ...(select && { select }),
        })
        const wanted: string[] = []
        let isOwn = false
        const scanner = scanInto(
          (line) => {
            const isSelected = select === undefined || select(line) === null
            if (!isOwn && isSelected)
              wanted.push(Buffer.from(line.bytes.slice(line.start, line.end)).toString('latin1'))
            writer.line(line)
            expect(identityHolds(writer)).toBe(true)
          },
          () => isOwn,
        )
        for (const [index, line] of lines.entries()) {
          isOwn = line.isOwn
          const wire = wireLine(BEGIN_US + index, line.verb, line.key)
          scanner.push(line.isBroken ? Buffer.from(wire.toString('latin1').replace(/"\r\n$/, '\r\n'), 'latin1') : wire)
        }
        writer.grant(slice({ sliceNo: 1 }))
        expect(identityHolds(writer)).toBe(true)
        writer.terminate('completed', 'manual_stop')
        expect(texts().join('')).toBe(wanted.map((line) => `${line}\n`).join(''))
        expect(writer.counters).toMatchObject({ received: lines.length, recorded: wanted.length, dropped: 0 })
      },
    ),
    { numRuns: 500 },
  )
})
