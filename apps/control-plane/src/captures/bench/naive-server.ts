import { createClient } from '@redis/client'
import { openDatabase } from '@sonde/database'
import type { Kysely } from 'kysely'

/**
 * The usual ways to keep MONITOR's lines, by the argument: `rows` parses each line and inserts rows, many at once; `text`
 * inserts the lines as uncompressed text, 256 KiB at once. Both read with a client library. The count of lines is told each
 * 100 ms.
 */
interface NaiveSchema {
  naive_lines: { at: number; db: number; source: string; command: string; args: string[] }
  naive_text: { lines: string }
}

const way = process.argv[2]
const database = openDatabase({ url: process.env['DATABASE_URL'] ?? '', maxConnections: 4 })
const db = database.db as unknown as Kysely<NaiveSchema>
const ROWS = 1_000
const TEXT_BYTES = 256 * 1024
const LINE = /^(\d+\.\d+) \[(\d+) ([^\]]*)\] (.*)$/s

let lines = 0
let rows: NaiveSchema['naive_lines'][] = []
let text: string[] = []
let textBytes = 0
let last: Promise<unknown> = Promise.resolve()
const inOrder = (work: () => Promise<unknown>): void => {
  last = last.then(work)
}

const keepRow = (line: string): void => {
  const [, at = '0', dbNo = '0', source = '', rest = ''] = LINE.exec(line) ?? []
  const [command = '', ...args] = [...rest.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, arg]) => arg ?? '')
  rows.push({ at: Number(at), db: Number(dbNo), source, command, args })
  if (rows.length < ROWS) return
  const full = rows
  rows = []
  inOrder(() => db.insertInto('naive_lines').values(full).execute())
}

const keepText = (line: string): void => {
  text.push(line)
  textBytes += line.length + 1
  if (textBytes < TEXT_BYTES) return
  const full = `${text.join('\n')}\n`
  text = []
  textBytes = 0
  inOrder(() => db.insertInto('naive_text').values({ lines: full }).execute())
}

const keep = way === 'text' ? keepText : keepRow
const client = createClient({ url: process.env['REDIS_URL'] ?? '', maintNotifications: 'disabled' })
client.on('error', () => undefined)
await client.connect()
await client.monitor((line) => {
  lines += 1
  keep(line)
})
setInterval(() => process.send?.({ kind: 'lines', lines }), 100)
process.send?.({ kind: 'reading' })
process.on('SIGTERM', () => process.exit())
process.on('disconnect', () => process.exit())
