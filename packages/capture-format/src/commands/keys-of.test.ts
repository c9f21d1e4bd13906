import fc from 'fast-check'
import { expect, test } from 'vitest'
import { latin1Encode } from '../latin1.ts'
import { MonitorLine } from '../monitor-line.ts'
import { parseMonitorLine } from '../parse-line.ts'
import { COMMANDS, Role } from './grammar.ts'
import { keysOf } from './keys-of.ts'
import { LineRoles } from './line-roles.ts'

test('keys are the arguments with the role of a key, whatever the command and its arguments', () => {
  const words = ['LIMIT', 'STORE', 'STOREDIST', 'BY', 'GET', 'EX', 'STREAMS', 'COUNT', 'MATCH', 'KEYS', 'ASYNC', 'IDS']
  const argument = fc.oneof(fc.constantFrom('1', '2', '=', '~', '', 'k', 'a:b'), fc.constantFrom(...words))
  const line = new MonitorLine()
  const roles = new LineRoles()
  const keys: number[] = []
  let some = 0
  fc.assert(
    fc.property(fc.constantFrom(...COMMANDS.keys(), 'NOSUCH'), fc.array(argument, { maxLength: 8 }), (verb, rest) => {
      const bytes = latin1Encode(`1.5 [0 a:1] ${[verb.toLowerCase(), ...rest].map((each) => `"${each}"`).join(' ')}`)
      expect(parseMonitorLine(bytes, 0, bytes.length, line)).toBeNull()
      const count = keysOf(line, keys)
      roles.read(line)
      const expected = Array.from(roles.roles.subarray(0, line.argc)).flatMap((role, at) =>
        role === Role.key ? at : [],
      )
      expect(keys).toEqual(expected)
      expect(count).toBe(expected.length)
      some += Math.sign(count)
    }),
    { numRuns: 20_000 },
  )
  expect(some).toBeGreaterThan(5000)
})
