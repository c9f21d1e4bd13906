import { createHmac } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test as base } from 'vitest'
import { loadRedactionKey, type RedactionKey } from './redaction-key.ts'

const test = base.extend('dir', ({ task: _task }, { onCleanup }) => {
  const dir = mkdtempSync(join(tmpdir(), 'sonde-key-'))
  onCleanup(() => rmSync(dir, { recursive: true, force: true }))
  return dir
})

const hashOf = ({ hash }: RedactionKey, text: string): string => {
  const out = new Int32Array(2)
  hash(Buffer.from(text), 0, text.length, out)
  return Array.from(out, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

test('a key is made once, for its owner alone, and is the same at the next start', ({ dir }) => {
  const first = loadRedactionKey(dir)
  const file = join(dir, 'redaction-key')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const again = loadRedactionKey(dir)
  expect(again.fingerprint).toBe(first.fingerprint)
  expect(hashOf(again, 'value')).toBe(hashOf(first, 'value'))
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'hex')
  expect(hashOf(first, 'value')).toBe(createHmac('sha256', key).update('value').digest('hex').slice(0, 16))
  expect(first.fingerprint).not.toContain(key.toString('hex').slice(0, 16))
})

test('daemons with the same file have the same hashes, and those without have their own', ({ dir }) => {
  const file = join(dir, 'shared')
  writeFileSync(file, 'ab'.repeat(32))
  const [one, other] = [loadRedactionKey(join(dir, 'a'), file), loadRedactionKey(join(dir, 'b'), file)]
  expect([one.fingerprint, hashOf(one, 'v')]).toEqual([other.fingerprint, hashOf(other, 'v')])
  expect(loadRedactionKey(dir).fingerprint).not.toBe(one.fingerprint)
})

test('a file that is not there or holds no key is named, and what it holds is not told', ({ dir }) => {
  const file = join(dir, 'shared')
  expect(() => loadRedactionKey(dir, file)).toThrow(`SONDE_REDACTION_KEY_FILE: there is no ${file}`)
  writeFileSync(file, 'hunter2')
  expect(() => loadRedactionKey(dir, file)).toThrow(/shared must hold 64 hex digits; make one with: openssl/)
  expect(() => loadRedactionKey(dir, file)).not.toThrow('hunter2')
  writeFileSync(join(dir, 'redaction-key'), '')
  expect(() => loadRedactionKey(dir)).toThrow('64 hex digits')
})
