import { captureListInput, CaptureStatus, captureStopInput, type CaptureSummary, type Target } from '@sonde/contracts'
import { Option, type Command } from 'commander'
import { addCaptureReads } from './capture-reads.ts'
import { addCaptureRetention } from './capture-retention.ts'
import { addCaptureStart } from './capture-start.ts'
import { CAPTURE_TONES, printCapture } from './capture-view.ts'
import { checkInput } from './core/check-input.ts'
import { connect } from './core/connect.ts'
import {
  connected,
  connectedAnywhere,
  durationValue,
  idValue,
  integerValue,
  withExamples,
  type CommonFlags,
} from './core/options.ts'
import { note, printJson, printTable } from './print/output.ts'
import { plainText } from './print/plain-text.ts'
import { formatBytes, formatCount, formatDuration, formatInstant } from './print/units.ts'

/** Adds `sonde capture start`, `stop`, `list`, `show` and `targets`, and what {@link addCaptureRetention} and {@link addCaptureReads} add. */
export const addCaptureCommands = (program: Command): void => {
  const group = withExamples(
    program.command('capture').description('record what clients do, on one server or a whole cluster'),
    'sonde capture targets',
    'sonde capture start --all-primaries --duration 30s --wait',
    'sonde capture list',
  )
  addCaptureStart(group)
  const add = (name: string, description: string): Command => connected(group.command(name)).description(description)
  const addAnywhere = (name: string, description: string): Command =>
    connectedAnywhere(group.command(name)).description(description)
  withExamples(
    addAnywhere('stop', 'stop a capture and show what it holds')
      .argument('<capture>', 'id of the capture', idValue)
      .option('--wait <duration>', 'how long to wait for its end (default: 5s)', durationValue)
      .action(stop),
    'sonde capture stop 01930f2e-7c1a-7a00-8000-0123456789ab',
  )
  withExamples(
    add('list', 'list captures, newest first')
      .addOption(new Option('--status <status...>', 'only with one of these').choices(Object.values(CaptureStatus)))
      .option('--target <target>', 'only those that recorded this target', idValue)
      .option('--limit <count>', 'how many (default: 100)', integerValue(1, 1000))
      .option('--cursor <cursor>', 'go on after a page')
      .action(list),
    'sonde capture list --status running',
    'sonde capture list --limit 10 --json',
  )
  withExamples(
    addAnywhere('show', 'show a capture with its segments')
      .argument('<capture>', 'id of the capture', idValue)
      .action(show),
    'sonde capture show 01930f2e-7c1a-7a00-8000-0123456789ab',
  )
  withExamples(
    add('targets', 'list the servers that the nodes of the session reach')
      .option('--cluster <cluster>', 'only members of this cluster', idValue)
      .action(targets),
    'sonde capture targets',
  )
  addCaptureRetention(group)
  addCaptureReads(group)
}

const stop = async (id: string, flags: CommonFlags & { wait?: number }): Promise<void> => {
  const input = checkInput(captureStopInput, { id, ...(flags.wait !== undefined && { waitMs: flags.wait }) })
  await using connection = await connect(flags)
  const capture = await connection.call((rpc) => rpc.captures.stop.mutate(input))
  await (flags.json === true ? printJson(capture) : printCapture(capture))
}

interface ListFlags extends CommonFlags {
  status?: CaptureStatus[]
  target?: string
  limit?: number
  cursor?: string
}

const list = async (flags: ListFlags): Promise<void> => {
  await using connection = await connect(flags)
  const { status, target: targetId, limit, cursor } = flags
  const input = checkInput(captureListInput, {
    sessionId: await connection.sessionId(),
    ...(status !== undefined && { status }),
    ...(targetId !== undefined && { targetId }),
    ...(limit !== undefined && { limit }),
    ...(cursor !== undefined && { cursor }),
  })
  const answer = await connection.call((rpc) => rpc.captures.list.query(input))
  if (flags.json === true) return printJson(answer)
  await printTable(
    [
      { title: 'CAPTURE' },
      { title: 'STATUS' },
      { title: 'STARTED' },
      { title: 'DURATION', align: 'right' },
      { title: 'LINES', align: 'right' },
      { title: 'BYTES', align: 'right' },
      { title: 'SERVERS', align: 'right' },
      { title: 'EXPIRES' },
      { title: 'ENDED BY', shrinks: true },
      { title: 'REASON', shrinks: true },
    ],
    answer.captures.map(rowOf),
  )
  if (answer.nextCursor !== null) note(`There are more: --cursor ${plainText(answer.nextCursor)}`)
}

const expiryCell = ({ pinned, expiresAt }: CaptureSummary): string =>
  pinned ? 'pinned' : expiresAt === null ? 'never' : formatInstant(expiresAt)

const rowOf = (capture: CaptureSummary) => [
  capture.id,
  { text: capture.status, tone: CAPTURE_TONES[capture.status] },
  formatInstant(capture.startedAt ?? capture.createdAt),
  capture.durationMs === null ? '-' : formatDuration(capture.durationMs),
  formatCount(capture.lineCount),
  formatBytes(capture.byteCount),
  String(capture.segmentCount),
  expiryCell(capture),
  capture.terminationReason ?? '-',
  capture.reasonText ?? '-',
]

const show = async (id: string, flags: CommonFlags): Promise<void> => {
  await using connection = await connect(flags)
  const capture = await connection.call((rpc) => rpc.captures.get.query({ id }))
  await (flags.json === true ? printJson(capture) : printCapture(capture))
}

const slotCount = ({ slots }: Target): number => slots.reduce((sum, [first, last]) => sum + last - first + 1, 0)

const targets = async (flags: CommonFlags & { cluster?: string }): Promise<void> => {
  await using connection = await connect(flags)
  const input = {
    sessionId: await connection.sessionId(),
    ...(flags.cluster !== undefined && { clusterId: flags.cluster }),
  }
  const answer = await connection.call((rpc) => rpc.targets.list.query(input))
  if (flags.json === true) return printJson(answer)
  await printTable(
    [
      { title: 'TARGET' },
      { title: 'ADDRESS', shrinks: true },
      { title: 'KIND' },
      { title: 'ROLE' },
      { title: 'HEALTH' },
      { title: 'SLOTS', align: 'right' },
      { title: 'VERSION' },
      { title: 'NODES', align: 'right' },
      { title: 'CLUSTER' },
      { title: 'HELD BY' },
    ],
    answer.targets.map((target) => [
      target.id,
      `${target.host}:${target.port}`,
      target.kind,
      target.role,
      { text: target.health, tone: target.health === 'healthy' ? 'good' : 'bad' },
      target.clusterId === null ? '-' : formatCount(slotCount(target)),
      target.serverVersion ?? '-',
      String(target.nodeIds.length),
      target.clusterId ?? '-',
      target.heldBy ?? '-',
    ]),
  )
}
