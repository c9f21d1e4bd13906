import { once } from 'node:events'
import { formatTable, type Cell, type Column } from './table.ts'
import { plainJson } from './plain-text.ts'
import { paint, wantsColor, type Tone } from './tone.ts'

/** Ends the process quietly when the reader of its output has gone, as with `sonde tail | head`. */
export const endOnClosedPipe = (): void => {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && stream === process.stdout)
        note(`error: The output cannot be written: ${error.message}`)
      process.exit(error.code === 'EPIPE' ? 0 : 1)
    })
  }
}

/** Writes to standard output, and waits while a slow reader is behind. */
export const write = async (chunk: string | Uint8Array): Promise<void> => {
  if (!process.stdout.write(chunk)) await once(process.stdout, 'drain')
}

/** Writes a line to standard output. */
export const print = (line: string): Promise<void> => write(`${line}\n`)

/** Writes a value to standard output as indented JSON. */
export const printJson = (value: unknown): Promise<void> => print(plainJson(value, 2))

/** Writes a table to standard output, cut to the terminal's width. */
export const printTable = (columns: readonly Column[], rows: readonly (readonly Cell[])[]): Promise<void> => {
  const { stdout } = process
  const width = stdout.isTTY ? stdout.columns : undefined
  return print(formatTable({ columns, rows, width, color: wantsColor(stdout, process.env) }))
}

/** A text in a tone, when standard output takes colour. */
export const toned = (text: string, tone: Tone): string =>
  wantsColor(process.stdout, process.env) ? paint(text, tone) : text

/** Writes a line to standard error: what a person may want to know beside the output. */
export const note = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

/** Resolves when all of standard output has been handed over. */
export const flushed = async (): Promise<void> => {
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
}
