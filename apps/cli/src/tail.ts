import { captureTailInput, type Capture, type TailRow } from '@sonde/contracts'
import { latin1Encode, MonitorLine, toJsonLine } from '@sonde/capture-format'
import type { Command } from 'commander'
import { policyNote } from './capture-view.ts'
import { checkInput } from './core/check-input.ts'
import { connect } from './core/connect.ts'
import { UsageError } from './core/failure.ts'
import { interruptSignal } from './core/interrupt.ts'
import { connected, idValue, integerValue, withExamples, type CommonFlags } from './core/options.ts'
import { note, write } from './print/output.ts'
import { plainJson, plainText } from './print/plain-text.ts'
import { followTail } from './tail-follow.ts'
import { formatTailLine } from './tail-line.ts'

interface TailFlags extends CommonFlags {
  segments?: string
  backlog?: number
  cursor?: string
}

/** Adds `sonde tail`. */
export const addTailCommand = (program: Command): void => {
  withExamples(
    connected(program.command('tail'))
      .description('print the lines of a capture in the order of their time, while it runs or afterwards')
      .argument('<capture>', 'id of the capture', idValue)
      .option('--segments <numbers>', 'only these segments: 0,2')
      .option('--backlog <count>', 'lines from before, of a running capture (default: 10000)', integerValue(0, 50_000))
      .option('--cursor <cursor>', 'go on where an earlier tail ended; it printed its cursor')
      .action(tail),
    'sonde tail 01930f2e-7c1a-7a00-8000-0123456789ab',
    'sonde tail 01930f2e-7c1a-7a00-8000-0123456789ab --segments 0 --json | head -1',
  )
}

const segmentsOf = (text: string): number[] => {
  if (!/^\d{1,4}(,\d{1,4})*$/.test(text)) throw new UsageError('--segments takes numbers, separated by commas: 0,2')
  return text.split(',').map(Number)
}

const tail = async (id: string, flags: TailFlags): Promise<void> => {
  const { backlog, cursor } = flags
  const input = checkInput(captureTailInput, {
    id,
    ...(backlog !== undefined && { backlog }),
    ...(cursor !== undefined && { cursor }),
    ...(flags.segments !== undefined && { segments: segmentsOf(flags.segments) }),
  })
  await using connection = await connect(flags)
  const capture = await connection.call((rpc) => rpc.captures.get.query({ id }))
  if (flags.json !== true) note(policyNote(capture))
  const format = flags.json === true ? jsonFormat(capture) : textFormat(capture)
  const position = { cursor }
  try {
    for await (const event of followTail(connection, input, { signal: interruptSignal() })) {
      if (event.kind === 'lines') {
        await write(event.rows.map((row) => `${format(row)}\n`).join(''))
        position.cursor = event.cursor
      } else if (event.kind !== 'segment') {
        const { status, lineCount } = event.capture
        note(`The capture is ${status}, with ${lineCount} lines.`)
      }
    }
  } finally {
    if (position.cursor !== undefined) note(`cursor: ${plainText(position.cursor)}`)
  }
}

const addressesOf = (capture: Capture): Map<number, string> =>
  new Map(capture.segments.map(({ segmentNo, targetHost, targetPort }) => [segmentNo, `${targetHost}:${targetPort}`]))

const textFormat = (capture: Capture): ((row: TailRow) => string) => {
  const addresses = addressesOf(capture)
  const line = new MonitorLine()
  return (row) => formatTailLine(row, plainText(addresses.get(row.segmentNo) ?? `segment ${row.segmentNo}`), line)
}

/** The same objects as those of `sonde export --format jsonl`. */
const jsonFormat = (capture: Capture): ((row: TailRow) => string) => {
  const addresses = addressesOf(capture)
  const line = new MonitorLine()
  return (row) => {
    const target = addresses.get(row.segmentNo) ?? ''
    return plainJson(toJsonLine(latin1Encode(row.line), { segment: row.segmentNo, target, line }))
  }
}
