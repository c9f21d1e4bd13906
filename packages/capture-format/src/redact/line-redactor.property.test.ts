import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keysOf } from '../commands/keys-of.ts'
import { COMMANDS } from '../commands/grammar.ts'
import { latin1Decode, latin1Encode } from '../latin1.ts'
import { MonitorLine } from '../monitor-line.ts'
import { parseMonitorLine } from '../parse-line.ts'
import { printMonitorLine } from '../print-line.ts'
import { redactText, type SomeRules } from './redact-text.ts'

const verb = fc.oneof(fc.constantFrom(...COMMANDS.keys()), fc.constantFrom('JSON.SET', 'nosuch', ''))
const subcommand = fc.constantFrom('SET', 'GET', 'LOAD', 'ENCODING', 'CREATE', 'SETUSER', 'KILL')
/** A text that is nowhere else, whatever is around it. */
const secret = fc.nat(9).map((at) => `s3cr3t#${at}`)
const word = fc.constantFrom(
  'EX',
  '10',
  'NX',
  'STREAMS',
  'COUNT',
  'AUTH',
  'FIELDS',
  'KEYS',
  '2',
  '0',
  '*',
  'STORE',
  'k:1',
)
const noise = fc.uint8Array({ maxLength: 20 }).map((bytes) => latin1Decode(bytes))
const argument = fc.oneof(
  secret,
  word,
  noise,
  fc.tuple(noise, secret).map((parts) => parts.join('')),
)
const call = fc
  .tuple(verb, fc.option(subcommand, { nil: undefined }), fc.array(argument, { maxLength: 12 }))
  .map(([first, second, rest]) => [first, ...(second === undefined ? [] : [second]), ...rest])

const print = (args: readonly string[]): string =>
  latin1Decode(printMonitorLine({ eventUs: 1_000_001, db: '0', source: 'a:1', args: args.map(latin1Encode) }))

const parse = (text: string, masked: boolean) => {
  const bytes = latin1Encode(text)
  const line = new MonitorLine({ masked })
  expect(parseMonitorLine(bytes, 0, bytes.length, line)).toBeNull()
  return line
}

const argumentsOf = (line: MonitorLine): string[] =>
  Array.from({ length: line.argc }, (_, at) => latin1Decode(line.bytes, line.ranges[2 * at], line.ranges[2 * at + 1]))

const keys = (line: MonitorLine): number[] => {
  const out: number[] = []
  keysOf(line, out)
  return out
}

describe.for<SomeRules>([
  { level: 'full' },
  { level: 'keys' },
  { level: 'keys', keepKeyPrefix: true },
  { level: 'full', keyPatterns: ['email', 'token'] },
])('%j', (rules) => {
  test('keeps the number of arguments, the keys, and nothing that the command table does not name', () => {
    fc.assert(
      fc.property(call, (args) => {
        const before = parse(print(args), false)
        const redacted = redactText(print(args), { rules })
        const after = parse(redacted, true)
        expect(after.argc).toBe(before.argc)
        const kept = new Set(rules.level === 'full' ? keys(before) : [])
        for (const [index, text] of argumentsOf(before).entries()) {
          if (index === 0 || (kept.has(index) && rules.keyPatterns === undefined)) {
            expect(argumentsOf(after)[index]).toBe(text)
          } else if (!kept.has(index) && text.includes('s3cr3t')) {
            // A key may be kept up to its first colon.
            const isPrefix = rules.keepKeyPrefix === true && keys(before).includes(index)
            if (!isPrefix) expect(argumentsOf(after)[index]).toMatch(/^~\d+:[0-9a-f]{16}$/)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('leaves a redacted line as it is', () => {
    fc.assert(
      fc.property(call, fc.nat(300), (args, length) => {
        const redacted = redactText(print(args).slice(0, length), { rules })
        expect(redactText(redacted, { rules, isStored: true })).toBe(redacted)
      }),
      { numRuns: 2000 },
    )
  })

  test('keeps no secret of a line that is broken, wherever it is', () => {
    const garbage = fc.constantFrom('', '"', '\\', '\r', ' ', 'x', '"] "', '~5:0123456789abcdef', '\\xZZ')
    fc.assert(
      fc.property(fc.nat(60), garbage, fc.nat(40), fc.boolean(), (at, wedge, keep, isCut) => {
        const line = print(['SET', 'k', 's3cr3t#1', 's3cr3t#2'])
        const broken = line.slice(0, at) + wedge + line.slice(at, line.length - keep)
        const redacted = redactText(broken, { rules, isCut })
        // Only a wedge between a key and its value can make a secret part of a key.
        const line2 = new MonitorLine({ masked: false })
        const bytes = latin1Encode(broken)
        const isWhole = parseMonitorLine(bytes, 0, bytes.length, line2) === null
        if (!(isWhole && rules.level === 'full')) expect(redacted).not.toContain('s3cr3t')
      }),
      { numRuns: 2000 },
    )
  })
})
