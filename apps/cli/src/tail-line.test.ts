import { MonitorLine } from '@sonde/capture-format'
import type { TailRow } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { formatTailLine } from './tail-line.ts'

const row = (line: string): TailRow => ({ segmentNo: 0, seq: 0, lineNo: 0, eventUs: 0, line })
const format = (of: TailRow, address = 'h:1', shownBytes?: number) =>
  formatTailLine(of, { address, line: new MonitorLine(), shownBytes })

test('a line shows its time, server, database and arguments as the server wrote them', () => {
  const text = format(row('1732455115.123456 [3 10.0.0.9:51000] "SET" "k\\x00\\"" "v"'), '127.0.0.1:7000')
  expect(text).toMatch(/^\d\d:\d\d:55\.123456 127\.0\.0\.1:7000 3 "SET" "k\\x00\\"" "v"$/)
})

test('a line that is not whole is shown inertly after what is wrong with it', () => {
  const text = format(row('rubbish \u001b[31m\u00ff'))
  expect(text).toMatch(/^- {15}h:1 \w+: rubbish \\x1b\[31m\\xff$/)
})

test('raw bytes inside of quotes do not reach the terminal', () => {
  const text = format(row('1732455115.000001 [0 a:1] "SET" "\u009b\u00e9"'))
  expect(text).toContain('"\\x9b\\xe9"')
})

test('a cut line keeps its parts and ends with its stored length, and a long one is shown in part', () => {
  const long = `1732455115.000001 [0 a:1] "SET" "k" "${'x'.repeat(5000)}`
  const head = /^\d\d:\d\d:55\.000001 h:1 0 "SET" "k" "x+… /
  const cut = format({ ...row(long), cut: true })
  expect(cut).toMatch(head)
  expect(cut).toMatch(/x{5000}… \(5,037 bytes, cut\)$/)
  const onTerminal = format({ ...row(long), cut: true }, 'h:1', 100)
  expect(onTerminal).toMatch(head)
  expect(onTerminal).toMatch(/"x{63}… \(5,037 bytes, cut\)$/)
  expect(format(row(`${long}"`), 'h:1', 100)).toMatch(/"x{63}… \(5,038 bytes\)$/)
  expect(format({ ...row('1732455115.000001 [0 a'), cut: true })).toMatch(
    / h:1 no_closing_bracket: 17.* a… \(22 bytes, cut\)$/,
  )
})

test('on a terminal the time and server are dim, the verb stands out, and what is wrong is told in red', () => {
  const paint = (text: string, tone: string) => `<${tone}>${text}</>`
  const painted = (of: TailRow) => formatTailLine(of, { address: 'h:1', line: new MonitorLine(), paint })
  expect(painted(row('1732455115.123456 [3 a:1] "SET" "k"'))).toMatch(
    /^<dim>\d\d:\d\d:55\.123456 h:1<\/> 3 <strong>"SET"<\/> "k"$/,
  )
  expect(painted(row('rubbish'))).toBe(`<dim>${'-'.padEnd(15)} h:1</> <bad>no_header</>: rubbish`)
})
