import { COMMAND_TABLE } from './table.ts'
import { WordIndex } from './word-index.ts'

/** What one argument of a line is. */
export const Role = { verb: 0, subcommand: 1, key: 2, word: 3, number: 4, value: 5, secret: 6 } as const
export type Role = (typeof Role)[keyof typeof Role]

export const Step = {
  key: 0,
  value: 1,
  number: 2,
  secret: 3,
  keyOrEmpty: 4,
  word: 5,
  options: 6,
  repeat: 7,
  keys: 8,
  pairs: 9,
  streams: 10,
  numbers: 11,
  aboutMark: 12,
  restKeys: 13,
  restValues: 14,
} as const
export type Step = (typeof Step)[keyof typeof Step]

/** One item of a command's grammar. `words`: of `word` and `options`, each with what follows it. */
export interface Item {
  step: Step
  words?: WordIndex<readonly Item[]>
  /** Of `repeat`: what is repeated, and how many arguments stand after all repetitions. */
  group?: readonly Item[]
  trailing?: number
}

/** Where values stand, for the level that masks only these: `from`, then every `every`th, at most `most`. */
export interface ValuePositions {
  from: number
  every: number
  most: number
}

export interface CommandSpec {
  /** In upper case, a subcommand after `|`. */
  name: string
  /** Of the arguments after the verb, or after the subcommand. */
  items: readonly Item[]
  /** The first argument is a key, and no other one is, whatever follows: so it is for most commands. */
  isFirstKeyOnly: boolean
  /** Some argument is a secret whatever the level. */
  hasSecrets: boolean
  /** Undefined where there are none. */
  subcommands: WordIndex<CommandSpec> | undefined
  values: ValuePositions | undefined
}

const LETTERS: Record<string, Step> = {
  k: Step.key,
  v: Step.value,
  n: Step.number,
  '!': Step.secret,
  e: Step.keyOrEmpty,
  N: Step.keys,
  P: Step.pairs,
  S: Step.streams,
  '~': Step.aboutMark,
  K: Step.restKeys,
  V: Step.restValues,
}

const stepOf = (letter: string): Item => {
  const step = LETTERS[letter]
  if (step === undefined) throw new Error(`command table: ${letter} is no item`)
  return { step }
}

const optionItems = (text: string): Item[] =>
  [...text.matchAll(/n\*|./g)].map(([item]) => (item === 'n*' ? { step: Step.numbers } : stepOf(item)))

const wordsOf = (text: string): WordIndex<readonly Item[]> =>
  new WordIndex(
    text.split(' ').map((option) => {
      const [word = '', follow = ''] = option.split(/(?<=.)=/)
      return [word, optionItems(follow)] as const
    }),
  )

const parseItems = (grammar: string): Item[] => {
  const texts = grammar.match(/\[[^\]]+\]|<[^>]+>|\([^)]+\)\*|\S\*|\S/g) ?? []
  return texts.map((text, index): Item => {
    if (text.startsWith('[')) return { step: Step.options, words: wordsOf(text.slice(1, -1)) }
    if (text.startsWith('<')) return { step: Step.word, words: wordsOf(text.slice(1, -1)) }
    if (text === 'n*') return { step: Step.numbers }
    if (!text.endsWith('*')) return stepOf(text)
    const group = text.replaceAll(/[()*]/g, '').split('').map(stepOf)
    return { step: Step.repeat, group, trailing: texts.length - index - 1 }
  })
}

/** Which verbs the level `values` masks, and where. */
const VALUE_POSITIONS: readonly (readonly [verbs: string, from: number, every: number, most: number])[] = [
  ['SET SETNX GETSET APPEND PUBLISH SPUBLISH', 2, 1, 1],
  ['SETEX PSETEX LSET HSETNX', 3, 1, 1],
  ['LINSERT', 3, 1, 2],
  ['MSET MSETNX', 2, 2, Infinity],
  ['HSET HMSET', 3, 2, Infinity],
  ['LPUSH RPUSH LPUSHX RPUSHX SADD SREM', 2, 1, Infinity],
]

const valuePositionsOf = (verb: string): ValuePositions | undefined => {
  const found = VALUE_POSITIONS.find(([verbs]) => verbs.split(' ').includes(verb))
  return found && { from: found[1], every: found[2], most: found[3] }
}

const followOf = (option: string): string => option.split(/(?<=.)=/)[1] ?? ''

/** A grammar without its words: the letters of its items alone. */
const lettersOf = (grammar: string): string =>
  grammar
    .replaceAll(/<[^>]+>/g, '')
    .replaceAll(/\[([^\]]+)\]/g, (_, options: string) => options.split(' ').map(followOf).join(''))
    .replaceAll(' ', '')

const specOf = (name: string, grammar: string, subcommands?: WordIndex<CommandSpec>): CommandSpec => ({
  name,
  items: parseItems(grammar),
  isFirstKeyOnly: /^k(?!\*)[^keNPSK]*$/.test(lettersOf(grammar)),
  hasSecrets: grammar.includes('!'),
  subcommands,
  values: valuePositionsOf(name),
})

const compile = (table: string): Map<string, CommandSpec> => {
  const verbs = new Map<string, { grammar: string; subcommands: Map<string, CommandSpec> }>()
  for (const line of table.trim().split('\n')) {
    const [, verb = '', subcommand, grammar = ''] = /^([^ |]+)(?:\|(\S+))? ?(.*)$/.exec(line) ?? []
    const entry = verbs.get(verb) ?? { grammar: '', subcommands: new Map<string, CommandSpec>() }
    if (subcommand === undefined) entry.grammar = grammar
    else entry.subcommands.set(subcommand, specOf(`${verb}|${subcommand}`, grammar))
    verbs.set(verb, entry)
  }
  return new Map(
    [...verbs].map(([verb, { grammar, subcommands }]) => {
      if (subcommands.size === 0) return [verb, specOf(verb, grammar)]
      subcommands.set('HELP', specOf(`${verb}|HELP`, ''))
      return [verb, specOf(verb, grammar, new WordIndex(subcommands))]
    }),
  )
}

export const COMMANDS: ReadonlyMap<string, CommandSpec> = compile(COMMAND_TABLE)
export const VERBS: WordIndex<CommandSpec> = new WordIndex(COMMANDS)
