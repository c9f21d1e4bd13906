import { WordIndex } from '../commands/word-index.ts'
import type { MonitorLine } from '../monitor-line.ts'
import { CATEGORY_TABLE } from './category-table.ts'

interface Verb {
  /** The command without a subcommand is in the category. */
  isAlone: boolean
  subcommands: string[]
}

/** Category, then verb. */
const verbsByCategory = new Map<string, Map<string, Verb>>()
for (const row of CATEGORY_TABLE.trim().replaceAll(/\n +/g, ' ').split('\n')) {
  const [names = '', commands = ''] = row.split(': ')
  for (const category of names.split(' ')) {
    const verbs = verbsByCategory.get(category) ?? new Map<string, Verb>()
    verbsByCategory.set(category, verbs)
    for (const command of commands.split(' ')) {
      const [name = '', ...subcommands] = command.split('|')
      const verb = verbs.get(name) ?? { isAlone: false, subcommands: [] }
      verbs.set(name, verb)
      verb.subcommands.push(...subcommands)
      if (subcommands.length === 0) verb.isAlone = true
    }
  }
}

/** Categories of the server's access lists, lower-case without `@`. */
export const CATEGORIES: readonly string[] = [...verbsByCategory.keys()].toSorted()

/** The verbs that are in the category, alone or with one of their subcommands; in upper case. */
export const verbsOfCategory = (category: string): { has(verb: string): boolean } =>
  verbsByCategory.get(category) ?? new Map<string, Verb>()

/** Whether a line's command is in the category. A command that the table does not have is in none. */
export const compileCategory = (category: string): ((line: MonitorLine) => boolean) => {
  const verbs = [...(verbsByCategory.get(category) ?? [])]
  const index = new WordIndex(
    verbs.map(([name, { isAlone, subcommands }]) => {
      const second = subcommands.length > 0 ? new WordIndex(subcommands.map((each) => [each, true] as const)) : null
      return [name, { isAlone, second }] as const
    }),
  )
  return ({ bytes, ranges, argc }) => {
    const verb = argc === 0 ? undefined : index.find(bytes, ranges[0]!, ranges[1]!)
    if (verb === undefined) return false
    if (argc === 1 || verb.second === null) return verb.isAlone
    return verb.second.find(bytes, ranges[2]!, ranges[3]!) === true
  }
}
