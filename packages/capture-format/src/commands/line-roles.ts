import type { MonitorLine } from '../monitor-line.ts'
import { Role, Step, VERBS, type CommandSpec, type Item } from './grammar.ts'
import { countAt, isNumberLike } from './number-like.ts'
import { WordIndex } from './word-index.ts'

const ROLE_OF_STEP: Partial<Record<Step, Role>> = {
  [Step.key]: Role.key,
  [Step.value]: Role.value,
  [Step.secret]: Role.secret,
}
const STREAMS = new WordIndex([['STREAMS', true]])

/** What each argument of a line is, by the command table. Used again for each line; allocates only for more arguments than ever. */
export class LineRoles {
  /** One {@link Role} for each argument, the verb first. */
  roles: Uint8Array = new Uint8Array(64)
  #line!: MonitorLine
  #argc = 0
  #pos = 0

  /**
   * Reads the roles of a line's arguments. Undefined for a verb, or a subcommand, that the table does not have: everything
   * after the verb is then a value. Of a line with an error the arguments that were parsed.
   */
  read(line: MonitorLine): CommandSpec | undefined {
    const { argc, bytes, ranges } = line
    if (this.roles.length < argc) this.roles = new Uint8Array(2 * argc)
    this.#line = line
    this.#argc = argc
    this.#pos = 1
    if (argc === 0) return undefined
    this.roles[0] = Role.verb
    let spec = VERBS.find(bytes, ranges[0]!, ranges[1]!)
    if (spec?.subcommands !== undefined && argc > 1) {
      spec = spec.subcommands.find(bytes, ranges[2]!, ranges[3]!)
      if (spec !== undefined) {
        this.roles[1] = Role.subcommand
        this.#pos = 2
      }
    }
    if (spec !== undefined) {
      const { items } = spec
      for (let index = 0; index < items.length && this.#pos < argc; index += 1) this.#take(items[index]!)
    }
    this.#fill(argc, Role.value)
    return spec
  }

  #take(item: Item): void {
    switch (item.step) {
      case Step.key:
      case Step.value:
      case Step.secret:
        return this.#set(ROLE_OF_STEP[item.step]!)
      case Step.number:
        return this.#set(this.#isNumber() ? Role.number : Role.value)
      case Step.keyOrEmpty: {
        const { ranges } = this.#line
        return this.#set(ranges[2 * this.#pos] === ranges[2 * this.#pos + 1] ? Role.word : Role.key)
      }
      case Step.word: {
        const isWord = this.#find(item.words!) !== undefined
        return this.#set(isWord ? Role.word : Role.value)
      }
      case Step.options:
        return this.#options(item.words!)
      case Step.repeat:
        return this.#repeat(item.group!, this.#argc - item.trailing!)
      case Step.keys:
      case Step.pairs:
        return this.#counted(item.step === Step.pairs)
      case Step.streams:
        return this.#streams()
      case Step.numbers:
        while (this.#pos < this.#argc && this.#isNumber()) this.#set(Role.number)
        return
      case Step.aboutMark:
        if (this.#isAboutMark()) this.#set(Role.word)
        return
      case Step.restKeys:
        return this.#fill(this.#argc, Role.key)
      case Step.restValues:
        return this.#fill(this.#argc, Role.value)
    }
  }

  #set(role: Role): void {
    this.roles[this.#pos] = role
    this.#pos += 1
  }

  #fill(end: number, role: Role): void {
    while (this.#pos < end) this.#set(role)
  }

  #find<T>(words: WordIndex<T>): T | undefined {
    const { bytes, ranges } = this.#line
    return words.find(bytes, ranges[2 * this.#pos]!, ranges[2 * this.#pos + 1]!)
  }

  #isNumber(): boolean {
    const { bytes, ranges } = this.#line
    return isNumberLike(bytes, ranges[2 * this.#pos]!, ranges[2 * this.#pos + 1]!)
  }

  #isAboutMark(): boolean {
    const { bytes, ranges } = this.#line
    const start = ranges[2 * this.#pos]!
    return ranges[2 * this.#pos + 1] === start + 1 && (bytes[start] === 0x3d || bytes[start] === 0x7e)
  }

  #options(words: WordIndex<readonly Item[]>): void {
    while (this.#pos < this.#argc) {
      const follow = this.#find(words)
      if (follow === undefined) return
      this.#set(Role.word)
      for (let index = 0; index < follow.length && this.#pos < this.#argc; index += 1) this.#take(follow[index]!)
    }
  }

  #repeat(group: readonly Item[], end: number): void {
    while (this.#pos < end) {
      for (let index = 0; index < group.length && this.#pos < end; index += 1) this.#take(group[index]!)
    }
  }

  /** A count, and so many keys or pairs; a count that cannot be met makes no keys. */
  #counted(isPairs: boolean): void {
    const { bytes, ranges } = this.#line
    const count = countAt(bytes, ranges[2 * this.#pos]!, ranges[2 * this.#pos + 1]!)
    const size = isPairs ? 2 * count : count
    if (count < 0 || size > this.#argc - this.#pos - 1) return this.#fill(this.#argc, Role.value)
    this.#set(Role.number)
    const end = this.#pos + size
    while (this.#pos < end) {
      this.#set(Role.key)
      if (isPairs) this.#set(Role.value)
    }
  }

  #streams(): void {
    if (this.#find(STREAMS) === undefined) return
    this.#set(Role.word)
    this.#fill(this.#pos + Math.floor((this.#argc - this.#pos) / 2), Role.key)
    while (this.#pos < this.#argc) this.#set(this.#isNumber() ? Role.number : Role.value)
  }
}
