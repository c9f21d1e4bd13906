import { latin1Decode } from '@sonde/capture-format'
import { printFilter, type Filter } from '@sonde/capture-format/filter'
import type { ProfileTable } from '@sonde/capture-format/profile'
import { CAPTURE_LIMITS } from '@sonde/contracts'

const { patternBytes: MOST_BYTES } = CAPTURE_LIMITS.filter

/** A placeholder of a key pattern. */
const PLACEHOLDER = /\{(?:n|uuid|hex|id|tag|bin|more|masked)\}/g

const escapeGlob = (text: string): string => text.replaceAll(/[*?[\]\\]/g, '\\$&')

/** A glob that a filter can have: what is too long ends in `*`, and not in half of an escape. */
const bounded = (glob: string): string => {
  if (glob.length <= MOST_BYTES) return glob
  const kept = glob.slice(0, MOST_BYTES - 1)
  const isCutInEscape = (/\\*$/.exec(kept)?.[0].length ?? 0) % 2 === 1
  return `${isCutInEscape ? kept.slice(0, -1) : kept}*`
}

/** Names that a filter can have; of a script its command. */
const NAME = /^([A-Z][A-Z0-9._-]*)(?:\|([A-Z0-9._-]+|\?)|\(.*\))?$/

const command = (name: string): Filter | null => {
  const [, verb, subcommand = '?'] = NAME.exec(name) ?? []
  if (verb === undefined) return null
  return { kind: 'cmd', verb, subcommand: subcommand === '?' ? null : subcommand }
}

const keyGlob = (pattern: string): string => pattern.split(PLACEHOLDER).map(escapeGlob).join('*')

const filterOf = (table: ProfileTable, text: string): Filter | null => {
  switch (table) {
    case 'shapes': {
      const [name = '', , ...pattern] = text.split(' ')
      const ofName = command(name)
      // Of a masked key a filter sees nothing.
      if (ofName === null || pattern.length === 0 || text.includes('{masked}')) return ofName
      return { kind: 'and', of: [ofName, { kind: 'key', glob: bounded(keyGlob(pattern.join(' '))) }] }
    }
    case 'verbs':
      return command(text)
    case 'clients':
      return text === '' ? null : { kind: 'client', text: text.slice(0, MOST_BYTES) }
    case 'dbs':
      return /^\d+$/.test(text)
        ? { kind: 'db', from: Number(text), to: Number(text) }
        : { kind: 'namespace', name: text }
    case 'prefixes':
      return text === '' ? null : { kind: 'key', glob: bounded(`${escapeGlob(text)}*`) }
    case 'keys':
      return { kind: 'key', glob: bounded(escapeGlob(text)) }
  }
}

/** A filter that finds the lines that were counted under a text, and perhaps some more; null where none does. */
export const lineFilterOf = (table: ProfileTable, text: Uint8Array): string | null => {
  const filter = filterOf(table, latin1Decode(text))
  return filter && printFilter(filter)
}
