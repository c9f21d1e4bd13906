import { MonitorLine } from '@sonde/capture-format'
import { expect, test } from 'vitest'
import { formatTailLine } from './tail-line.ts'

const row = (line: string) => ({ segmentNo: 0, seq: 0, lineNo: 0, eventUs: 0, line })

test('a line shows its time, server, database and arguments as the server wrote them', () => {
  const text = formatTailLine(
    row('1732455115.123456 [3 10.0.0.9:51000] "SET" "k\\x00\\"" "v"'),
    '127.0.0.1:7000',
    new MonitorLine(),
  )
  expect(text).toMatch(/^\d\d:\d\d:55\.123456 127\.0\.0\.1:7000 3 "SET" "k\\x00\\"" "v"$/)
})

test('a line that is not whole is shown inertly after what is wrong with it', () => {
  const text = formatTailLine(row('rubbish \u001b[31m\u00ff'), 'h:1', new MonitorLine())
  expect(text).toMatch(/^- {15}h:1 \w+: rubbish \\x1b\[31m\\xff$/)
})

test('raw bytes inside of quotes do not reach the terminal', () => {
  const text = formatTailLine(row('1732455115.000001 [0 a:1] "SET" "\u009b\u00e9"'), 'h:1', new MonitorLine())
  expect(text).toContain('"\\x9b\\xe9"')
})
