import { latin1Decode } from '@sonde/capture-format'
import { printFilter, type Filter } from '@sonde/capture-format/filter'
import type { ProfileTable } from '@sonde/capture-format/profile'

/** A placeholder of a key pattern. */
const PLACEHOLDER = /\{(?:n|uuid|hex|id|tag|bin|more|masked)\}/g

const escapeGlob = (text: string): string => text.replaceAll(/[*?[\]\\]/g, '\\$&')

const command = (name: string): Filter => {
  const [verb = '', subcommand = null] = name.replace(/\(.*$/, '').split('|')
  return { kind: 'cmd', verb, subcommand: subcommand === '?' ? null : subcommand }
}

const keyGlob = (pattern: string): string => pattern.split(PLACEHOLDER).map(escapeGlob).join('*')

const filterOf = (table: ProfileTable, text: string): Filter | null => {
  switch (table) {
    case 'shapes': {
      const [name = '', , ...pattern] = text.split(' ')
      if (name.includes('?') && !name.includes('|')) return null
      // Of a masked key a filter sees nothing.
      const isOfKey = pattern.length > 0 && !pattern.includes('{masked}') && !text.includes('{masked}')
      return isOfKey
        ? { kind: 'and', of: [command(name), { kind: 'key', glob: keyGlob(pattern.join(' ')) }] }
        : command(name)
    }
    case 'verbs':
      return text.includes('?') && !text.includes('|') ? null : command(text)
    case 'clients':
      return text === '' ? null : { kind: 'client', text }
    case 'dbs':
      return /^\d+$/.test(text)
        ? { kind: 'db', from: Number(text), to: Number(text) }
        : { kind: 'namespace', name: text }
    case 'prefixes':
      return text === '' ? null : { kind: 'key', glob: `${escapeGlob(text)}*` }
    case 'keys':
      return { kind: 'key', glob: escapeGlob(text) }
  }
}

/** A filter that finds the lines that were counted under a text, and perhaps some more; null where none does. */
export const lineFilterOf = (table: ProfileTable, text: Uint8Array): string | null => {
  const filter = filterOf(table, latin1Decode(text))
  return filter && printFilter(filter)
}
