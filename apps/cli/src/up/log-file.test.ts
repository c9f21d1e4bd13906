import { appendFileSync, closeSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { failureWithLog, lastLines, openLog, readableLogLine } from './log-file.ts'

const makeFolder = () => {
  const path = mkdtempSync(join(tmpdir(), 'sonde-log-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

test.each([
  ['{"level":50,"msg":"failed","err":{"message":"no route"}}', 'failed: no route'],
  ['{"level":30,"msg":"attached"}', 'attached'],
  ['{"level":30}', '{"level":30}'],
  ['plain words', 'plain words'],
  ['null', 'null'],
])('%s is read as %s', (line, words) => {
  expect(readableLogLine(line)).toBe(words)
})

test('the last lines are those of this run, without the stack', () => {
  using folder = makeFolder()
  const path = join(folder.path, 'node.log')
  writeFileSync(path, 'of an earlier run\n')
  const log = openLog(path)
  closeSync(log.descriptor)
  expect(lastLines(log)).toEqual([])
  appendFileSync(path, '{"msg":"one"}\n\ntwo\n    at main (file.ts:1:1)\nthree\n')
  expect(lastLines(log)).toEqual(['one', 'two', 'three'])
  expect(lastLines(log, 1)).toEqual(['three'])
})

test('routine lines are left out when others tell why', () => {
  using folder = makeFolder()
  const log = openLog(join(folder.path, 'node.log'))
  closeSync(log.descriptor)
  appendFileSync(log.path, '{"level":30,"msg":"attached"}\n')
  expect(lastLines(log)).toEqual(['attached'])
  appendFileSync(log.path, '{"level":50,"msg":"failed"}\n{"level":30,"msg":"answered"}\nlast words\n')
  expect(lastLines(log)).toEqual(['failed', 'last words'])
})

test('a line that began before the part that is read is left out, and a long one ends in an ellipsis', () => {
  using folder = makeFolder()
  const log = openLog(join(folder.path, 'node.log'))
  closeSync(log.descriptor)
  appendFileSync(log.path, `${JSON.stringify({ msg: 'x'.repeat(70_000) })}\nplain\n${'y'.repeat(600)}\n`)
  expect(lastLines(log)).toEqual(['plain', `${'y'.repeat(499)}…`])
})

test('a log that holds one line, longer than the part that is read, has nothing to show', () => {
  using folder = makeFolder()
  const log = openLog(join(folder.path, 'node.log'))
  closeSync(log.descriptor)
  appendFileSync(log.path, 'x'.repeat(70_000))
  expect(lastLines(log)).toEqual([])
  expect(failureWithLog('It ended.', log)).toMatchObject({ message: `It ended. Its log is ${log.path}.`, lines: [] })
})

test('a log is for its owner alone, and one that has grown large is set aside', () => {
  using folder = makeFolder()
  const path = join(folder.path, 'node.log')
  writeFileSync(path, Buffer.alloc(17 * 2 ** 20))
  const log = openLog(path)
  closeSync(log.descriptor)
  expect(log.startsAt).toBe(0)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(`${path}.old`).size).toBe(17 * 2 ** 20)
})
