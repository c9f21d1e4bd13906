import { latin1Encode, MonitorLine, toJsonLine } from '@sonde/capture-format'
import { expect, test } from 'vitest'
import { classify, type ClassifyOptions } from './classify.ts'
import { compileDeclared } from './declared.ts'

const found = (text: string, options: Partial<ClassifyOptions> & { isCut?: boolean } = {}) => {
  const { isCut = false, ...more } = options
  const line = toJsonLine(latin1Encode(text), { segment: 0, target: 't:1', line: new MonitorLine(), isCut })
  const isDeclared = compileDeclared('@read,@write')
  return classify(line, { isDeclared, allowMasked: false, isCluster: false, ...more })
}
const T = '1795500000.000001'

test('a command keeps its bytes, its database and its time', () => {
  expect(found(`${T} [3 a:1] "SeT" "\\xff\\x00" "caf\\xc3\\xa9" "EX" "5"`)).toEqual({
    kind: 'send',
    verb: 'SET',
    args: [Buffer.from('SeT'), Buffer.of(0xff, 0), Buffer.from('caf\u00e9'), Buffer.from('EX'), Buffer.from('5')],
    firstKey: Buffer.of(0xff, 0),
    db: 3,
    eventUs: 1_795_500_000_000_001,
  })
  expect(found(`${T} [0 a:1] "DBSIZE"`, { isDeclared: compileDeclared('dbsize') })).toMatchObject({
    firstKey: undefined,
  })
})

test.each([
  ['malformed', `${T} [0`, {}],
  ['cut', `${T} [0 a:1] "SET" "k" "va`, { isCut: true }],
  ['from_script', `${T} [0 lua] "SET" "k" "v"`, {}],
  ['masked', `${T} [0 a:1] "SET" "k" ~3`, {}],
  ['masked', `${T} [0 a:1] "SET" "k" ~99999999999`, { allowMasked: true }],
  ['never_sent', `${T} [0 a:1] "MULTI"`, {}],
  ['undeclared', `${T} [0 a:1] "FT.SEARCH" "k"`, {}],
  ['database', `${T} [3 a:1] "GET" "k"`, { isCluster: true }],
  ['database', `${T} [namespace a:1] "GET" "k"`, {}],
] as const)('%s: %s is not sent', (reason, text, options) => {
  expect(found(text, options)).toEqual({ kind: 'skip', reason })
})

test('a masked argument is made up in its length, and equal ones stay equal', () => {
  const args = (text: string): Buffer[] => {
    const answer = found(`${T} [0 a:1] ${text}`, { allowMasked: true })
    return answer.kind === 'send' ? answer.args : []
  }
  const [, , first] = args('"SET" "k" ~20:0123456789abcdef')
  const [, , second] = args('"SET" "other" ~20:0123456789abcdef')
  const [, , third] = args('"SET" "k" ~20:fedcba9876543210')
  expect([first?.length, second?.equals(first!), third?.equals(first!)]).toEqual([20, true, false])
  const [, key] = args('"GET" "user:"~4:0123456789abcdef')
  expect(key?.toString()).toMatch(/^user:.{4}$/)
  expect(args('"SET" "k" ~0')[2]).toHaveLength(0)
})
