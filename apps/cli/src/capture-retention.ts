import {
  captureExpiryInput,
  retentionPreviewInput,
  type Capture,
  type HeldBy,
  type RetentionPreview,
} from '@sonde/contracts'
import type { Command } from 'commander'
import { expiryNote } from './capture-view.ts'
import { checkInput } from './core/check-input.ts'
import { connect } from './core/connect.ts'
import { UsageError } from './core/failure.ts'
import { connected, connectedAnywhere, durationValue, idValue, withExamples, type CommonFlags } from './core/options.ts'
import { note, print, printJson, printTable } from './print/output.ts'
import { counted, formatBytes, formatCount, formatInstant } from './print/units.ts'

const CAPTURE = '01930f2e-7c1a-7a00-8000-0123456789ab'

/** Adds what decides how long captures are kept: `delete`, `pin`, `unpin`, `expire` and `retention`. */
export const addCaptureRetention = (group: Command): void => {
  const add = (name: string, description: string): Command =>
    connectedAnywhere(group.command(name)).description(description).argument('<capture>', 'id of the capture', idValue)
  withExamples(
    add('delete', 'delete an ended capture and all of its lines for good')
      .option('--yes', 'do it; without this nothing is done')
      .action(remove),
    `sonde capture delete ${CAPTURE} --yes`,
  )
  withExamples(
    add('pin', 'keep a capture whatever its expiry, until it is unpinned').action((id: string, flags: CommonFlags) =>
      pin(id, true, flags),
    ),
    `sonde capture pin ${CAPTURE}`,
  )
  withExamples(
    add('unpin', 'let a capture expire again, in an hour at the earliest').action((id: string, flags: CommonFlags) =>
      pin(id, false, flags),
    ),
    `sonde capture unpin ${CAPTURE}`,
  )
  withExamples(
    add('expire', 'set when a capture is deleted by itself')
      .option('--in <duration>', 'time from now, at least 1h', durationValue)
      .option('--never', 'keep it until it is deleted by hand')
      .action(expire),
    `sonde capture expire ${CAPTURE} --in 7d`,
    `sonde capture expire ${CAPTURE} --never`,
  )
  withExamples(
    connected(group.command('retention'))
      .description('show what will be deleted by itself, and what stays though it has expired')
      .option('--within <duration>', 'up to this time from now (default: 7d)', durationValue)
      .action(retention),
    'sonde capture retention',
    'sonde capture retention --within 30d',
  )
}

const remove = async (id: string, flags: CommonFlags & { yes?: boolean }): Promise<void> => {
  if (flags.yes !== true) {
    throw new UsageError(`Deleting ${id} is for good: its lines cannot be had back. Repeat with --yes.`)
  }
  await using connection = await connect(flags)
  const deleted = await connection.call((rpc) => rpc.captures.delete.mutate({ id }))
  if (flags.json === true) return printJson(deleted)
  await print(`${id} is deleted: ${counted(deleted.lineCount, 'line')}, ${formatBytes(deleted.byteCount)}.`)
}

const tell = async (capture: Capture, flags: CommonFlags): Promise<void> =>
  await (flags.json === true ? printJson(capture) : print(`${capture.id}  ${expiryNote(capture)}`))

const pin = async (id: string, pinned: boolean, flags: CommonFlags): Promise<void> => {
  await using connection = await connect(flags)
  await tell(await connection.call((rpc) => rpc.captures.pin.mutate({ id, pinned })), flags)
}

const expire = async (id: string, flags: CommonFlags & { in?: number; never?: true }): Promise<void> => {
  if ((flags.in === undefined) === (flags.never === undefined)) {
    throw new UsageError('Say when: --in 7d, or --never.')
  }
  const input = checkInput(captureExpiryInput, { id, afterMs: flags.in ?? null })
  await using connection = await connect(flags)
  await tell(await connection.call((rpc) => rpc.captures.setExpiry.mutate(input)), flags)
}

const HELD_WORDS: Record<HeldBy, string> = {
  pin: 'pinned',
  running: 'still running',
  reading: 'being exported',
}
const fateOf = (heldBy: HeldBy | null): string => (heldBy === null ? 'deleted' : `stays: ${HELD_WORDS[heldBy]}`)

/** What a preview says in all, one line for each fate. */
const retentionLines = ({ until, defaultDays, totals }: RetentionPreview): string[] => [
  defaultDays === null
    ? 'New captures do not expire by themselves.'
    : `New captures are kept for ${counted(defaultDays, 'day')}.`,
  totals.length === 0
    ? `Nothing expires until ${formatInstant(until)}.`
    : `Of what expires until ${formatInstant(until)}:`,
  ...totals.map(
    ({ heldBy, captures, lines, bytes }) =>
      `  ${counted(captures, 'capture')}, ${counted(lines, 'line')}, ${formatBytes(bytes)}: ${fateOf(heldBy)}`,
  ),
]

const retention = async (flags: CommonFlags & { within?: number }): Promise<void> => {
  await using connection = await connect(flags)
  const input = checkInput(retentionPreviewInput, {
    sessionId: await connection.sessionId(),
    ...(flags.within !== undefined && { withinMs: flags.within }),
  })
  const preview = await connection.call((rpc) => rpc.captures.retentionPreview.query(input))
  if (flags.json === true) return printJson(preview)
  for (const line of retentionLines(preview)) await print(line)
  if (preview.captures.length === 0) return
  await printTable(
    [
      { title: 'CAPTURE' },
      { title: 'EXPIRES' },
      { title: 'LINES', align: 'right' },
      { title: 'BYTES', align: 'right' },
      { title: 'THEN' },
    ],
    preview.captures.map(({ id, expiresAt, lineCount, byteCount, heldBy }) => [
      id,
      formatInstant(expiresAt),
      formatCount(lineCount),
      formatBytes(byteCount),
      fateOf(heldBy),
    ]),
  )
  const all = preview.totals.reduce((sum, { captures }) => sum + captures, 0)
  if (all > preview.captures.length) note(`The first ${preview.captures.length} of ${formatCount(all)} are shown.`)
}
