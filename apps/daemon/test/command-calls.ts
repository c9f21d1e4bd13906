import type { RedisProcess, RedisReply } from '@sonde/testing'

interface ArgumentDoc {
  name: string
  type: string
  token: string | undefined
  flags: readonly string[]
  arguments: readonly ArgumentDoc[]
}

/** A command as the server documents it: the words that call it, and its arguments. */
export interface CommandDoc {
  words: readonly string[]
  arguments: readonly ArgumentDoc[]
}

const fieldsOf = (reply: RedisReply): Map<string, RedisReply> => {
  const flat = reply as RedisReply[]
  return new Map(flat.flatMap((name, index) => (index % 2 === 0 ? [[String(name), flat[index + 1]!] as const] : [])))
}

const argumentOf = (reply: RedisReply): ArgumentDoc => {
  const fields = fieldsOf(reply)
  return {
    name: String(fields.get('name')),
    type: String(fields.get('type')),
    token: fields.get('token') as string | undefined,
    flags: (fields.get('flags') ?? []) as string[],
    arguments: ((fields.get('arguments') ?? []) as RedisReply[]).map(argumentOf),
  }
}

const commandsOf = (docs: RedisReply): CommandDoc[] =>
  [...fieldsOf(docs)].flatMap(([name, doc]) => {
    const fields = fieldsOf(doc)
    const own = { words: name.split('|'), arguments: ((fields.get('arguments') ?? []) as RedisReply[]).map(argumentOf) }
    const subcommands = fields.get('subcommands')
    return subcommands === undefined ? [own] : commandsOf(subcommands)
  })

export const commandDocs = async (redis: RedisProcess): Promise<CommandDoc[]> =>
  commandsOf(await redis.command('command', 'docs'))

/** A call of the command, made of its documentation at random: each key is `key:` and a number. */
export const makeCall = (command: CommandDoc, random: () => number): string[] => {
  const below = (count: number): number => Math.floor(random() * count)
  /** Set by `numkeys` for the keys that follow. */
  let keys: number | undefined

  const plain = ({ name, type, token = '' }: ArgumentDoc): string => {
    if (name === 'numkeys') return String((keys = 1 + below(3)))
    if (type === 'key') return `key:${below(1000)}`
    if (type === 'pure-token') return token
    if (type === 'integer' || type === 'double' || type === 'unix-time') return String(below(100))
    return `value-${below(1000)}`
  }

  const once = (doc: ArgumentDoc, times: number): string[] => {
    if (doc.type === 'oneof') return written(doc.arguments[below(doc.arguments.length)]!, times)
    if (doc.type === 'block') return doc.arguments.flatMap((each) => written(each, times))
    return [plain(doc)]
  }

  /** `times`: how often what is repeated stands there; alike for all parts of one block. */
  const written = (doc: ArgumentDoc, times: number): string[] => {
    if (doc.flags.includes('optional') && doc.type !== 'key' && random() < 0.5) return []
    const isCounted = doc.type === 'key' && keys !== undefined
    const count = doc.flags.includes('multiple') ? (isCounted ? keys! : times) : 1
    if (isCounted) keys = undefined
    const token = doc.token !== undefined && doc.type !== 'pure-token' ? [doc.token] : []
    const each = Array.from({ length: count }, () => once(doc, times))
    return doc.flags.includes('multiple_token') ? each.flatMap((one) => [...token, ...one]) : [...token, ...each.flat()]
  }

  return [...command.words, ...command.arguments.flatMap((doc) => written(doc, 1 + below(3)))]
}
