import { expect, test } from 'vitest'
import { UsageError } from '../core/failure.ts'
import { compileDeclared, isNeverSent, mayWrite } from './declared.ts'

const words = (text: string): Uint8Array[] => text.split(' ').map((word) => new TextEncoder().encode(word))
const sent = (declared: string, commands: string[]): string[] => {
  const isDeclared = compileDeclared(declared)
  return commands.filter((command) => isDeclared(words(command)))
}

test('names, subcommands and categories are declared, in any case, and nothing else is', () => {
  const commands = ['GET k', 'get k', 'SET k v', 'OBJECT ENCODING k', 'OBJECT FREQ k', 'JSON.GET k', 'DEL k']
  expect(sent('get', commands)).toEqual(['GET k', 'get k'])
  expect(sent('object|encoding, Set', commands)).toEqual(['SET k v', 'OBJECT ENCODING k'])
  expect(sent('object', commands)).toEqual(['OBJECT ENCODING k', 'OBJECT FREQ k'])
  expect(sent('@write', commands)).toEqual(['SET k v', 'DEL k'])
  expect(sent('json.get', commands)).toEqual(['JSON.GET k'])
})

test('a category leaves out what is dangerous or runs scripts; a name does not', () => {
  const commands = ['FLUSHALL', 'KEYS *', 'SORT k', 'EVAL s 0', 'SET k v', 'GET k']
  expect(sent('@read,@write', commands)).toEqual(['SET k v', 'GET k'])
  expect(sent('@write,flushall,keys,eval', commands)).toEqual(['FLUSHALL', 'KEYS *', 'EVAL s 0', 'SET k v'])
  expect(sent('@scripting', commands)).toEqual(['EVAL s 0'])
})

test.each([
  'AUTH u p',
  'HELLO 3',
  'SELECT 1',
  'MULTI',
  'EXEC',
  'WATCH k',
  'SUBSCRIBE c',
  'BLPOP k 0',
  'XREAD BLOCK',
  'SHUTDOWN',
  'CONFIG SET',
  'MONITOR',
  'CLIENT KILL',
  'REPLICAOF h',
])('%s is never sent', (command) => expect(isNeverSent(words(command))).toBe(true))

test.each(['GET k', 'SET k v', 'FLUSHALL', 'EVAL s', 'PUBLISHED x', 'FT.SEARCH i'])('%s may be sent', (command) =>
  expect(isNeverSent(words(command))).toBe(false),
)

test('what is not known to only read is taken to write', () => {
  const writes = ['SET k', 'GETEX k', 'EVAL s', 'FT.CREATE i', 'FLUSHALL', 'GET k', 'XRANGE k'].filter((each) =>
    mayWrite(words(each)),
  )
  expect(writes).toEqual(['SET k', 'GETEX k', 'EVAL s', 'FT.CREATE i', 'FLUSHALL'])
})

test.each([
  ['', 'takes names'],
  ['get,multi', 'multi is never sent'],
  ['@blocking', '@blocking is never sent'],
  ['@nothing', 'no category @nothing'],
  ['get key', 'neither a command'],
  ['get) or (cmd:flushall', 'neither a command'],
])('%j is refused', (text, problem) => {
  expect(() => compileDeclared(text)).toThrow(UsageError)
  expect(() => compileDeclared(text)).toThrow(problem)
})
