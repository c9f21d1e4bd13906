import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import type { ExportFacts } from '@sonde/contracts'
import { UsageError } from '../core/failure.ts'
import { behindLinks, orAbsent } from './output-file.ts'
import type { ExportWanted } from './request-export.ts'

/** Which export a file is the beginning of. */
interface State {
  captureId: string
  format: string
  filter?: string
  segments?: string
  cursor: string
}

const LF = 10

/** What is there of an export that broke off. */
export interface Beginning {
  cursor: string
  /** Bytes. */
  offset: number
  sha256: string
  /** LFs among them. */
  lines: number
}

/**
 * A file that is written in several goes: until it is whole it is `FILE.part`, and `FILE.part.json` says of which export. A new file
 * is for its owner alone (0600), one that is replaced keeps its mode.
 */
export class PartFile {
  readonly #file: string
  readonly #mode: number
  readonly #wanted: Omit<State, 'cursor'>

  /** For a name; a link stays, and the file behind it is written. Throws a UsageError for what is there and is no file. */
  static async at(path: string, wanted: ExportWanted): Promise<PartFile> {
    const file = await behindLinks(path)
    const before = await orAbsent(stat(file))
    if (before !== undefined && !before.isFile()) throw new UsageError(`--resume writes files, and ${path} is none.`)
    return new PartFile(file, before === undefined ? 0o600 : before.mode & 0o777, wanted)
  }

  private constructor(file: string, mode: number, { captureId, format, filter, segments }: ExportWanted) {
    this.#file = file
    this.#mode = mode
    this.#wanted = {
      captureId,
      format,
      ...(filter !== undefined && { filter }),
      ...(segments !== undefined && { segments }),
    }
  }

  get #part(): string {
    return `${this.#file}.part`
  }

  /** What is there of this export; undefined is nothing. Throws a UsageError when it is the beginning of another one. */
  async beginning(): Promise<Beginning | undefined> {
    const text = await orAbsent(readFile(`${this.#part}.json`, 'utf8'))
    if (text === undefined) return undefined
    const { cursor, ...found } = parse(text)
    if (cursor === undefined || JSON.stringify(found) !== JSON.stringify(this.#wanted)) {
      throw new UsageError(
        `${this.#part} is the beginning of another export. Give the options of that one, or remove it, or name another file.`,
      )
    }
    const hash = createHash('sha256')
    let [offset, lines] = [0, 0]
    const read = async (): Promise<void> => {
      for await (const piece of createReadStream(this.#part) as AsyncIterable<Buffer>) {
        hash.update(piece)
        offset += piece.length
        for (let at = piece.indexOf(LF); at >= 0; at = piece.indexOf(LF, at + 1)) lines += 1
      }
      return undefined
    }
    await orAbsent(read())
    return { cursor, offset, sha256: hash.digest('hex'), lines }
  }

  /** Where the bytes go that come now: behind the beginning, or at the start of a new file. */
  async open({ cursor }: Pick<ExportFacts, 'cursor'>, hasBeginning: boolean): Promise<Writable> {
    if (!hasBeginning) {
      const state = JSON.stringify({ ...this.#wanted, cursor })
      await writeFile(`${this.#part}.json`, state, { mode: 0o600, flush: true })
    }
    return createWriteStream(this.#part, { flags: hasBeginning ? 'a' : 'w', mode: this.#mode, flush: true })
  }

  /** The file is whole. */
  async finish(): Promise<void> {
    await rename(this.#part, this.#file)
    await rm(`${this.#part}.json`, { force: true })
  }
}

const parse = (text: string): Partial<State> => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
