import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { collectScan } from './collect-scan.ts'
import { latin1Decode, latin1Encode } from './latin1.ts'
import { MonitorLine } from './monitor-line.ts'
import { MonitorScanner } from './monitor-scanner.ts'
import { parseMonitorLine } from './parse-line.ts'
import { printMonitorLine } from './print-line.ts'

const bytesOf = latin1Encode
const GOOD = '+1.000002 [0 1.2.3.4:5] "SET" "k" "v"\r\n'

/** Splits a stream at arbitrary places. */
const chunksOf = (stream: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const places = Array.from(new Set(cuts.map((cut) => cut % (stream.length + 1)))).toSorted((a, b) => a - b)
  const bounds = [0, ...places, stream.length]
  return bounds.slice(1).map((end, index) => stream.subarray(bounds[index], end))
}

const goodLine = fc
  .record({
    eventUs: fc.integer({ min: 0, max: 2 ** 51 }),
    db: fc.nat(15).map(String),
    source: fc.constantFrom('lua', '', '127.0.0.1:5', '[::1]:5', 'unix:/a] b'),
    args: fc.array(fc.uint8Array({ maxLength: 12 }), { minLength: 1, maxLength: 5 }),
  })
  .map((line) => `+${latin1Decode(printMonitorLine(line))}\r\n`)
const reply = fc.constantFrom(
  '+OK\r\n',
  '$9\r\nfence-123\r\n',
  '-ERR x\r\n',
  ':1\r\n',
  '*2\r\n$3\r\na\nb\r\n:1\r\n',
  '%1\r\n+1\r\n_\r\n',
  '$5\r\n+1.2\n\r\n',
  '>1\r\n*1\r\n$-1\r\n',
  '$3\r\nabcde\r\n',
)
const garbage = fc.oneof(
  fc.constantFrom(
    '\r\n',
    '\n',
    '\r',
    '$',
    '$9\r\n',
    '*99\r\n',
    '+',
    '+1',
    '"',
    '+1.2 [0 a:1] "',
    '\\x',
    '\xef',
    '[ p ] 1',
  ),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => latin1Decode(bytes)),
  fc.constant(`+1.2 [0 a:1] "SET" "${'long\\xff'.repeat(30)}" "x"\r\n`),
)
const anyStream = fc
  .array(
    fc.oneof({ weight: 4, arbitrary: goodLine }, { weight: 1, arbitrary: reply }, { weight: 2, arbitrary: garbage }),
  )
  .map((parts) => bytesOf(parts.join('')))

test('the result does not depend on how a stream is split, and every line is counted once', () => {
  fc.assert(
    fc.property(anyStream, fc.array(fc.nat()), fc.constantFrom(64, 100, 2 ** 20), (stream, cuts, maxLineBytes) => {
      const whole = collectScan([stream], { maxLineBytes })
      expect(collectScan(chunksOf(stream, cuts), { maxLineBytes })).toEqual(whole)
      const { received, parsed, malformed, truncated } = whole.counters
      expect(received).toBe(parsed + malformed + truncated)
      expect(whole.lines).toHaveLength(received)
      expect(whole.lines.filter(({ error }) => error === null)).toHaveLength(parsed)
      expect(whole.lines.filter(({ error }) => error === 'cut')).toHaveLength(truncated)
      for (const { text } of whole.lines) {
        expect(text).not.toContain('\n')
        expect(text.length).toBeLessThanOrEqual(maxLineBytes)
      }
    }),
    { numRuns: 2000 },
  )
})

test('lines after any garbage are found again after the next LF', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(goodLine, { minLength: 1 }), (noise, lines) => {
      // Neither a reply that swallows what follows, nor a line of its own.
      const before = noise.map((byte) => ('+-:$*~>%|=!,#_('.includes(String.fromCharCode(byte)) ? 0x61 : byte))
      const { lines: found } = collectScan([bytesOf(`x${latin1Decode(before)}\n${lines.join('')}`)])
      expect(found.slice(-lines.length).map(({ text }) => `+${text}\r\n`)).toEqual(lines)
      expect(found.filter(({ error }) => error === null)).toHaveLength(lines.length)
    }),
    { numRuns: 500 },
  )
})

test('what was scanned, printed and scanned again is the same', () => {
  fc.assert(
    fc.property(anyStream, (stream) => {
      const first = collectScan([stream]).lines.filter(({ error }) => error === null)
      const printed = first.map(({ eventUs, db, source, args }) =>
        latin1Decode(printMonitorLine({ eventUs, db, source, args: args.map(bytesOf) })),
      )
      const second = collectScan([bytesOf(printed.map((text) => `+${text}\r\n`).join(''))])
      const partsOf = ({ eventUs, db, source, args }: (typeof first)[number]) => ({ eventUs, db, source, args })
      expect(second.lines.map(partsOf)).toEqual(first.map(partsOf))
    }),
    { numRuns: 500 },
  )
})

describe('a line over the limit', () => {
  const cutAt = (text: string, maxLineBytes: number) => {
    const { lines, counters } = collectScan([bytesOf(`+${text}\r\n${GOOD}`)], { maxLineBytes })
    expect(counters).toEqual({ received: 2, parsed: 1, malformed: 0, truncated: 1 })
    expect(lines.map(({ error }) => error)).toEqual(['cut', null])
    return lines[0]!
  }
  const head = '1795251178.482143 [0 127.0.0.1:46696] "SET" "some key of this length"'

  test.for([
    ['inside plain text', `${head} "${'v'.repeat(100)}"`, `${head} "${'v'.repeat(20)}`, 22],
    ['after an escape', String.raw`${head} "ab\xff\xff\xff"`, String.raw`${head} "ab\xff\xff`, 12],
    ['amid a hex escape', String.raw`${head} "ab\xff\xff\xff"`, String.raw`${head} "ab\xff`, 11],
    ['amid a short escape', String.raw`${head} "ab\n\n\n"`, String.raw`${head} "ab\n`, 7],
    ['after a whole argument', `${head} "ab" "cd"`, `${head} "ab"`, 5],
    ['after the space behind an argument', `${head} "ab" "cd"`, `${head} "ab"`, 6],
    ['after an opening quote', `${head} "ab" "cd"`, `${head} "ab"`, 7],
    ['after an opening quote and half an escape', String.raw`${head} "ab" "\n"`, `${head} "ab"`, 8],
  ] as const)('is cut %s to what is whole', ([, text, kept, more]) => {
    const line = cutAt(text, head.length + more)
    expect(line.text).toBe(kept)
    expect(line.eventUs).toBe(1_795_251_178_482_143)
  })

  test('is one byte longer than the longest that is kept whole, whatever ends it', () => {
    const line = `${head} "v"`
    for (const end of ['\r\n', '\n']) {
      const stream = bytesOf(`+${line}${end}${GOOD}`)
      expect(collectScan([stream], { maxLineBytes: line.length }).lines.map(({ error }) => error)).toEqual([null, null])
      const cut = collectScan([stream], { maxLineBytes: line.length - 1 })
      expect(cut.lines.map(({ text, error }) => [text, error])[0]).toEqual([`${head} "v`, 'cut'])
    }
  })

  test('is cut so that its rest parses, but for the open argument', () => {
    const argument = fc.uint8Array({ maxLength: 60 })
    fc.assert(
      fc.property(
        fc.array(argument, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 64, max: 200 }),
        (args, max) => {
          const text = latin1Decode(printMonitorLine({ eventUs: 1_795_251_178_482_143, db: '0', source: 'a:1', args }))
          fc.pre(text.length > max)
          const { text: kept } = cutAt(text, max)
          expect(text.startsWith(kept)).toBe(true)
          // A space, a quote and three bytes of an escape are the most that is given up.
          expect(max - kept.length).toBeLessThanOrEqual(5)
          const errors = [kept, `${kept}"`].map((half) =>
            parseMonitorLine(bytesOf(half), 0, half.length, new MonitorLine()),
          )
          expect(errors).toContain(null)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('is counted as truncated only when it is garbage, too', () => {
    const { lines, counters } = collectScan([bytesOf(`?${'x'.repeat(500)}\r\n`)], { maxLineBytes: 64 })
    expect(counters).toEqual({ received: 1, parsed: 0, malformed: 0, truncated: 1 })
    expect(lines[0]).toMatchObject({ error: 'cut', text: `?${'x'.repeat(63)}`, eventUs: -1 })
  })
})

test('memory for a line that never ends stays below its limit', () => {
  const scanner = new MonitorScanner({ sink: { line: () => {}, reply: () => {} }, maxLineBytes: 100_000 })
  const filler = new Uint8Array(65_536).fill(0x61)
  scanner.push(bytesOf('+1.2 [0 a:1] "SET" "'))
  for (let index = 0; index < 1000; index += 1) {
    scanner.push(filler)
    expect(scanner.heldBytes).toBeLessThanOrEqual(100_002)
  }
  scanner.end()
  expect(scanner.counters).toEqual({ received: 1, parsed: 0, malformed: 0, truncated: 1 })
})

test('a line that lies whole inside a read is handed over in place', () => {
  const chunk = bytesOf(`+OK\r\n${GOOD}${GOOD.slice(0, 20)}`)
  const seen: Uint8Array[] = []
  const scanner = new MonitorScanner({ sink: { line: (bytes) => seen.push(bytes), reply: () => {} } })
  scanner.push(chunk)
  scanner.push(bytesOf(GOOD.slice(20)))
  expect(seen[0]).toBe(chunk)
  expect(seen).toHaveLength(2)
  expect(seen[1]).not.toBe(chunk)
})

test('a malformed line that is closed does not hide the reply after it', () => {
  const { lines, replies } = collectScan([bytesOf('+1.2 [0 a:1] "\\q"\r\n$2\r\nok\r\n')])
  expect(lines.map(({ error }) => error)).toEqual(['bad_escape'])
  expect(replies).toEqual([['bulk', 'ok']])
})

test('a malformed line that is not closed may go on in the next ones, so they are no replies', () => {
  const { lines, replies } = collectScan([bytesOf(`+1.2 [0 a:1] "\\q\r\n$900\r\n+PONG\r\n${GOOD}+PONG\r\n`)])
  expect(lines.map(({ error }) => error)).toEqual(['bad_escape', 'no_header', 'no_header', null])
  expect(replies).toEqual([['simple', 'PONG']])
})

test('a body that does not end where it says is followed by malformed lines until the next line', () => {
  const { lines, replies } = collectScan([bytesOf(`$3\r\nabcde\r\n+PONG\r\n${GOOD}+PONG\r\n`)])
  expect(lines.map(({ error, text }) => [error, text])).toEqual([
    ['empty', ''],
    ['no_header', '+PONG'],
    [null, GOOD.slice(1, -2)],
  ])
  expect(replies).toEqual([['simple', 'PONG']])
})

test.for(['$x\r\n', '$-2\r\n', '$\r\n', '*99999999\r\n', ':1a\r\n', '#x\r\n', '_1\r\n', '*1\r\n?\r\n', '123.4 x\r\n'])(
  'the text %j is no reply',
  (text) => {
    const { lines, replies } = collectScan([bytesOf(text + GOOD)])
    expect(lines.map(({ error }) => error)).toEqual(['no_header', null])
    expect(replies).toEqual([])
  },
)

test('after the end of a stream the scanner starts afresh', () => {
  const kinds: unknown[] = []
  const sink = { line: (...call: unknown[]) => void kinds.push(call[4]), reply: () => {} }
  const scanner = new MonitorScanner({ sink })
  scanner.push(bytesOf('*2\r\n$5\r\nab'))
  scanner.end()
  scanner.push(bytesOf(GOOD + GOOD.slice(0, 30)))
  scanner.end()
  scanner.push(bytesOf(GOOD))
  expect(kinds).toEqual([null, 'cut', null])
})

test('a limit that is too small for a header is refused', () => {
  const sink = { line: () => {}, reply: () => {} }
  expect(() => new MonitorScanner({ sink, maxLineBytes: 63 })).toThrow(RangeError)
})
