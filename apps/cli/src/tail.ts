import { captureTailInput, SondeError, type Capture, type TailRow } from '@sonde/contracts'
import { latin1Encode, MonitorLine, toJsonLine } from '@sonde/capture-format'
import type { Command } from 'commander'
import { policyNote } from './capture-view.ts'
import { checkInput } from './core/check-input.ts'
import { connect } from './core/connect.ts'
import { interruptSignal } from './core/interrupt.ts'
import {
  connectedAnywhere,
  filterValue,
  idValue,
  integerValue,
  segmentsValue,
  withExamples,
  type CommonFlags,
} from './core/options.ts'
import { note, toned, write } from './print/output.ts'
import { plainJson, plainText } from './print/plain-text.ts'
import { followTail } from './tail-follow.ts'
import { counted, formatCount } from './print/units.ts'
import { formatTailLine, SHOWN_BYTES } from './tail-line.ts'

interface TailFlags extends CommonFlags {
  filter?: string
  segments?: string
  backlog?: number
  cursor?: string
}

/** Adds `sonde tail`. */
export const addTailCommand = (program: Command): void => {
  withExamples(
    connectedAnywhere(program.command('tail'))
      .description('print the lines of a capture in the order of their time, while it runs or afterwards')
      .argument('<capture>', 'id of the capture', idValue)
      .option(
        '--filter <filter>',
        'only the lines that match, such as "cmd:GET key:user:*" (docs/filters.md)',
        filterValue,
      )
      .option('--segments <numbers>', 'only these segments: 0,2', segmentsValue)
      .option(
        '--backlog <count>',
        'of a running capture: begin with so many lines from before (default: 10000)',
        integerValue(0, 50_000),
      )
      .option('--cursor <cursor>', 'go on where an earlier tail ended; it printed its cursor')
      .action(tail),
    'sonde tail 01930f2e-7c1a-7a00-8000-0123456789ab',
    'sonde tail 01930f2e-7c1a-7a00-8000-0123456789ab --filter "cmd:@write key:cart:*"',
    'sonde tail 01930f2e-7c1a-7a00-8000-0123456789ab --segments 0 --json | head -1',
  )
}

const tail = async (id: string, flags: TailFlags): Promise<void> => {
  const { backlog, cursor, filter } = flags
  const input = checkInput(captureTailInput, {
    id,
    ...(backlog !== undefined && { backlog }),
    ...(cursor !== undefined && { cursor }),
    ...(filter !== undefined && { filter }),
    ...(flags.segments !== undefined && { segments: flags.segments.split(',').map(Number) }),
  })
  await using connection = await connect(flags)
  const capture = await connection.call((rpc) => rpc.captures.get.query({ id }))
  if (flags.json !== true) note(policyNote(capture))
  const format = flags.json === true ? jsonFormat(capture) : textFormat(capture)
  if (flags.json !== true && cursor === undefined) noteStart(capture, input.backlog)
  let reached = cursor
  try {
    for await (const event of followTail(connection, input, { signal: interruptSignal() })) {
      if (event.kind === 'lines') {
        await write(event.rows.map((row) => `${format(row)}\n`).join(''))
        reached = event.cursor
      } else if (event.kind !== 'segment') {
        const { status, lineCount } = event.capture
        note(`The capture is ${status}, with ${counted(lineCount, 'line')}.`)
      }
    }
  } catch (error) {
    // A cursor that is refused is not worth repeating.
    if (error instanceof SondeError && error.code === 'request.invalid') reached = undefined
    throw error
  } finally {
    if (reached !== undefined) note(`cursor: ${plainText(reached)}`)
  }
}

/** Where the lines of a running capture begin: it is joined, not told from its start. */
const noteStart = ({ status, lineCount }: Capture, backlog: number): void => {
  if (status !== 'running' || lineCount <= backlog) return
  const from = backlog === 0 ? 'New lines only' : `From about the last ${counted(backlog, 'line')} on`
  note(
    `${from}, of ${formatCount(lineCount)} so far: --backlog sets how many. After its end a tail begins at the first line.`,
  )
}

const addressesOf = (capture: Capture): Map<number, string> =>
  new Map(capture.segments.map(({ segmentNo, targetHost, targetPort }) => [segmentNo, `${targetHost}:${targetPort}`]))

const textFormat = (capture: Capture): ((row: TailRow) => string) => {
  const addresses = addressesOf(capture)
  const line = new MonitorLine()
  const shownBytes = process.stdout.isTTY ? SHOWN_BYTES : undefined
  return (row) => {
    const address = plainText(addresses.get(row.segmentNo) ?? `segment ${row.segmentNo}`)
    return formatTailLine(row, { address, line, shownBytes, paint: toned })
  }
}

/** The same objects as those of `sonde export --format jsonl`. */
const jsonFormat = (capture: Capture): ((row: TailRow) => string) => {
  const addresses = addressesOf(capture)
  const line = new MonitorLine()
  return (row) => {
    const target = addresses.get(row.segmentNo) ?? ''
    const context = { segment: row.segmentNo, target, line, isCut: row.cut === true }
    return plainJson(toJsonLine(latin1Encode(row.line), context))
  }
}
