import { captureReadsInput, type CaptureRead } from '@sonde/contracts'
import type { Command } from 'commander'
import { checkInput } from './core/check-input.ts'
import { connect } from './core/connect.ts'
import { connected, idValue, integerValue, withExamples, type CommonFlags } from './core/options.ts'
import { note, printJson, printTable } from './print/output.ts'
import { formatBytes, formatCount, formatInstant } from './print/units.ts'

interface ReadsFlags extends CommonFlags {
  capture?: string
  limit?: number
  cursor?: string
}

/** Adds `sonde capture reads`. */
export const addCaptureReads = (group: Command): void => {
  withExamples(
    connected(group.command('reads'))
      .description('list who has exported and tailed captures, and how much, newest first; for owners')
      .option('--capture <capture>', 'only those of this capture', idValue)
      .option('--limit <count>', 'how many (default: 100)', integerValue(1, 1000))
      .option('--cursor <cursor>', 'go on after a page')
      .action(reads),
    'sonde capture reads --limit 20',
    'sonde capture reads --capture 01930f2e-7c1a-7a00-8000-0123456789ab --json',
  )
}

const reads = async (flags: ReadsFlags): Promise<void> => {
  const { capture: captureId, limit, cursor } = flags
  await using connection = await connect(flags)
  const input = checkInput(captureReadsInput, {
    sessionId: await connection.sessionId(),
    ...(captureId !== undefined && { captureId }),
    ...(limit !== undefined && { limit }),
    ...(cursor !== undefined && { cursor }),
  })
  const answer = await connection.call((rpc) => rpc.captures.reads.query(input))
  if (flags.json === true) return await printJson(answer)
  await printTable(
    [
      { title: 'STARTED' },
      { title: 'WHO' },
      { title: 'WHAT' },
      { title: 'CAPTURE' },
      { title: 'LINES', align: 'right' },
      { title: 'BYTES', align: 'right' },
      { title: 'ENDED' },
      { title: 'FILTER', shrinks: true },
    ],
    answer.reads.map((read) => [
      formatInstant(read.startedAt),
      read.participantName,
      whatOf(read),
      read.captureId,
      formatCount(read.lines),
      formatBytes(read.bytes),
      read.outcome ?? 'goes on',
      read.filter ?? '',
    ]),
  )
  if (answer.nextCursor !== null) note(`More: --cursor ${answer.nextCursor}`)
}

const whatOf = ({ kind, format, segments }: CaptureRead): string =>
  [kind, format, segments === null ? null : `segments ${segments.join(',')}`].filter((part) => part !== null).join(' ')
