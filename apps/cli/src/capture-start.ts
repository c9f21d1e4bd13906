import {
  CAPTURE_LIMITS,
  captureStartInput,
  newId,
  SondeError,
  uuidSchema,
  type CaptureStartInput,
  type CaptureStartResult,
  type Sampling,
  type Scope,
} from '@sonde/contracts'
import { Option, type Command } from 'commander'
import { followCapture } from './capture-follow.ts'
import { coverageLines, isWhole, printCapture } from './capture-view.ts'
import { checkInput } from './core/check-input.ts'
import { connect, type Connection } from './core/connect.ts'
import { ExitCode, UsageError } from './core/failure.ts'
import { interruptSignal } from './core/interrupt.ts'
import {
  connected,
  durationValue,
  filterValue,
  idValue,
  integerValue,
  sizeValue,
  withExamples,
  type CommonFlags,
} from './core/options.ts'
import { note, print, printJson } from './print/output.ts'

interface StartFlags extends CommonFlags {
  allPrimaries?: boolean
  target?: string[]
  cluster?: string
  replicas?: boolean
  followTopology?: boolean
  duration?: number
  bytes?: number
  lines?: number
  require?: string
  filter?: string
  sample?: number
  sampleBy?: Sampling['by']
  reason?: string
  wait?: boolean
}

const { sampling } = CAPTURE_LIMITS

/** Adds `sonde capture start`. */
export const addCaptureStart = (group: Command): void => {
  withExamples(
    connected(group.command('start'))
      .description('start one capture over one or more servers')
      .option('--all-primaries', 'every slot owner and every standalone primary of the session')
      .option('--target <target...>', 'these servers: ids, or HOST:PORT')
      .option('--cluster <cluster>', 'every slot owner of this cluster', idValue)
      .option('--replicas', 'every replica of the session, with --cluster those of this cluster')
      .option('--no-follow-topology', 'keep to the servers of the start, whatever a failover or a new primary brings')
      .option('--duration <duration>', 'how long to record (default: 30s)', durationValue)
      .option(
        '--bytes <size>',
        'end when so many bytes are stored, of all servers together (default: 50MiB)',
        sizeValue,
      )
      .option(
        '--lines <count>',
        'end when so many lines are stored, of all servers together (default: 5000000)',
        integerValue(1, 1e12),
      )
      .option('--require <all|any|quorum|N>', 'how many servers must record, or nothing is kept (default: any)')
      .option(
        '--filter <filter>',
        'record only the lines that match, such as "cmd:GET key:user:*" (docs/filters.md)',
        filterValue,
      )
      .option('--sample <N>', 'record one key of N, chosen by a hash', integerValue(sampling.min, sampling.max))
      .addOption(
        new Option('--sample-by <what>', 'sample by key or by client (default: key)').choices(['key', 'client']),
      )
      .option('--reason <text>', 'why; it is kept with the capture')
      .option('--wait', 'show progress and wait for the end')
      .addHelpText(
        'after',
        `
--bytes and --lines are one budget for all servers of the capture. A server is given at least 5,000 lines and 256 KiB of it at a time, so a
smaller cap may go to one server alone: --lines 10 over three servers may record 10 lines of one, and none of the others. For
some lines of each start one capture a server.`,
      )
      .action(start),
    'sonde capture start --all-primaries --duration 30s --wait',
    'sonde capture start --replicas --duration 10s',
    'sonde capture start --target 127.0.0.1:7000 --lines 10000 --reason "slow checkout"',
    'sonde capture start --all-primaries --filter "cmd:@write key:cart:*" --sample 10',
    'sonde capture start --cluster 01930f2e-7c1a-7a00-8000-0123456789ab --require all --bytes 200MiB',
  )
}

type ScopeWanted = Exclude<Scope, { kind: 'targets' }> | { kind: 'targets'; names: string[] }

/** Exactly one of the ways to say what to capture. Throws a UsageError. */
export const scopeWantedOf = (
  flags: Pick<StartFlags, 'allPrimaries' | 'target' | 'cluster' | 'replicas'>,
): ScopeWanted => {
  const { allPrimaries, target, cluster, replicas } = flags
  const ofCluster = cluster === undefined ? {} : { clusterId: cluster }
  const wanted: ScopeWanted[] = [
    ...(allPrimaries === true ? [{ kind: 'primaries' } as const] : []),
    ...(target === undefined ? [] : [{ kind: 'targets', names: target } as const]),
    ...(replicas === true ? [{ kind: 'replicas', ...ofCluster } as const] : []),
    ...(cluster === undefined || replicas === true ? [] : [{ kind: 'cluster', clusterId: cluster } as const]),
  ]
  const [only] = wanted
  if (only !== undefined && wanted.length === 1) return only
  throw new UsageError('Say what to capture by one of --all-primaries, --target and --cluster, or by --replicas.')
}

/** `all`, `any`, `quorum` or a count. Throws a UsageError. */
export const requireOf = (text: string): NonNullable<CaptureStartInput['require']> => {
  if (text === 'all' || text === 'any' || text === 'quorum') return text
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= 1024) return count
  throw new UsageError('--require is all, any, quorum, or a number of servers from 1 to 1024.')
}

/** What `--sample` and `--sample-by` say. Throws a UsageError. */
export const samplingOf = ({ sample, sampleBy }: Pick<StartFlags, 'sample' | 'sampleBy'>): { sampling?: Sampling } => {
  if (sample !== undefined) return { sampling: { every: sample, by: sampleBy ?? 'key' } }
  if (sampleBy === undefined) return {}
  throw new UsageError('--sample-by goes with --sample N, which says how large the sample is.')
}

const resolveScope = async (connection: Connection, sessionId: string, wanted: ScopeWanted): Promise<Scope> => {
  if (wanted.kind !== 'targets') return wanted
  const isId = (name: string): boolean => uuidSchema.safeParse(name).success
  if (wanted.names.every(isId)) return { kind: 'targets', targetIds: wanted.names.map((name) => name.toLowerCase()) }
  const { targets } = await connection.call((rpc) => rpc.targets.list.query({ sessionId }))
  const targetIds = wanted.names.map((name) => {
    if (isId(name)) return name.toLowerCase()
    const found = targets.filter(({ host, port }) => `${host}:${port}` === name)
    const [first] = found
    if (first !== undefined && found.length === 1) return first.id
    const problem = found.length > 1 ? 'names more than one target' : 'names no target of this session'
    throw new UsageError(`${name} ${problem}. "sonde capture targets" lists their ids.`)
  })
  return { kind: 'targets', targetIds }
}

/** Tries of a start whose connection broke before the answer. */
const TRIES = 5

/**
 * Starts the capture of the input. Where the connection breaks it is not known whether the start was taken; with the same key
 * it is asked again, and there is one capture.
 */
const startByKey = async (connection: Connection, input: CaptureStartInput): Promise<CaptureStartResult> => {
  const keyed = { ...input, idempotencyKey: newId() }
  for (let left = TRIES - 1; ; left -= 1) {
    try {
      return await connection.call((rpc) => rpc.captures.start.mutate(keyed))
    } catch (error) {
      const isBroken = error instanceof SondeError && error.code === 'control_plane.unreachable'
      if (!isBroken || left === 0) throw error
    }
  }
}

const start = async (flags: StartFlags): Promise<void> => {
  const wanted = scopeWantedOf(flags)
  const { duration, bytes, lines, require, filter, reason } = flags
  const settings = {
    ...(require !== undefined && { require: requireOf(require) }),
    ...(duration !== undefined && { durationMs: duration }),
    ...(bytes !== undefined && { byteCap: bytes }),
    ...(lines !== undefined && { lineCap: lines }),
    ...(filter !== undefined && { filter }),
    ...samplingOf(flags),
    ...(reason !== undefined && { reason }),
    ...(flags.followTopology === false && { followTopology: false }),
  }
  checkInput(captureStartInput.omit({ sessionId: true, scope: true }), settings)
  await using connection = await connect(flags)
  const sessionId = await connection.sessionId()
  const scope = await resolveScope(connection, sessionId, wanted)
  const input = checkInput(captureStartInput, { sessionId, scope, ...settings })
  const { capture, coverage } = await startByKey(connection, input)
  const { id } = capture
  if (flags.wait !== true) {
    if (flags.json === true) return printJson({ capture, coverage })
    await print(id)
    for (const line of coverageLines(coverage, capture)) note(line)
    return
  }
  if (flags.json !== true) for (const line of [id, ...coverageLines(coverage, capture)]) note(line)
  const signal = interruptSignal()
  signal.addEventListener('abort', () =>
    note(`No longer waiting; the capture goes on. To end it: sonde capture stop ${id}`),
  )
  const ended = await followCapture(id, { connection, signal, show: flags.json !== true })
  await (flags.json === true ? printJson({ capture: ended, coverage }) : printCapture(ended))
  if (!isWhole(ended)) process.exitCode = ExitCode.captureNotWhole
}
