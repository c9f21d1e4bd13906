import { LIVENESS_DEFAULTS } from '@sonde/contracts'
import type { ChaosKind, FleetPlace, FleetReport, RunFleetOptions } from '@sonde/testing'
import { InvalidArgumentError, type Command } from 'commander'
import { connect } from './core/connect.ts'
import { ExitCode, UsageError } from './core/failure.ts'
import { interruptSignal } from './core/interrupt.ts'
import { connected, durationValue, integerValue, withExamples, type CommonFlags } from './core/options.ts'
import { note, print } from './print/output.ts'

interface FleetFlags extends CommonFlags {
  nodes: number
  chaos?: ChaosKind[]
  seed: number
  duration: number
}

/** A connection each, from one process: below the ports that Linux gives to connections to one server. */
const MOST_NODES = 25_000
const KINDS = ['partition', 'clone', 'pause', 'restart'] as const satisfies readonly ChaosKind[]
/** What needs a control plane that may be stopped and killed. */
const OF_CONTROL_PLANE: readonly ChaosKind[] = ['pause', 'restart']

const chaosValue = (text: string): ChaosKind[] =>
  text.split(',').map((word) => {
    const kind = KINDS.find((each) => each === word.trim())
    if (kind === undefined) throw new InvalidArgumentError(`takes ${KINDS.join(', ')}, with commas between.`)
    return kind
  })

/** Adds `sonde fleet-sim`. */
export const addFleetSimCommand = (program: Command): void => {
  withExamples(
    connected(program.command('fleet-sim'))
      .description('simulate a fleet of nodes over the real protocol, and check that no verdict on them is false')
      .option('--nodes <count>', 'how many', integerValue(1, MOST_NODES), 1_000)
      .option('--chaos <kinds>', `what befalls them: ${KINDS.join(', ')}`, chaosValue)
      .option('--seed <number>', 'the same seed is the same chaos', integerValue(0, 2 ** 32 - 1), 1)
      .option('--duration <duration>', 'from when all nodes are online', durationValue, 60_000)
      .addHelpText(
        'after',
        `
With --url the nodes join that control plane, and leave it at the end; the token must be a person's who may attach nodes.
Without it a PostgreSQL and a control plane are started for the run and removed afterwards, which pause and restart need.
It ends with ${ExitCode.failed} when a verdict was false, a node did not come back, or an older clone was not told.`,
      )
      .action(fleetSim),
    'sonde fleet-sim --nodes 1000',
    'sonde fleet-sim --nodes 5000 --chaos partition,clone,pause,restart --seed 7 --duration 3m --json',
    'sonde fleet-sim --nodes 200 --url http://127.0.0.1:7373',
  )
}

const fleetSim = async (flags: FleetFlags): Promise<void> => {
  const chaos = flags.chaos ?? []
  const signal = interruptSignal()
  await using stack = new AsyncDisposableStack()
  const { openStage, runFleet } = await import('@sonde/testing')
  const common = { nodes: flags.nodes, seed: flags.seed, chaos, durationMs: flags.duration, signal, note }
  const options = async (): Promise<RunFleetOptions> => {
    const liveness = LIVENESS_DEFAULTS
    if (flags.url === undefined) {
      note('starting a PostgreSQL and a control plane for this run')
      const stage = stack.use(await openStage())
      return { ...common, liveness, control: stage.server, place: { url: stage.server.url, ...stage.owner } }
    }
    const impossible = chaos.filter((kind) => OF_CONTROL_PLANE.includes(kind))
    if (impossible.length > 0) {
      throw new UsageError(
        `--chaos ${impossible.join(',')} stops the control plane. Leave --url out, so that one is started.`,
      )
    }
    return { ...common, liveness, detach: true, place: await placeOf(flags) }
  }
  const report = await runFleet(await options())
  await printReport(report, flags.json === true)
  if (!report.ok) process.exitCode = ExitCode.failed
}

const placeOf = async (flags: FleetFlags): Promise<FleetPlace> => {
  await using connection = await connect(flags)
  const { url, token } = connection.settings
  const { participantId, kind } = await connection.call((rpc) => rpc.tokens.self.query())
  if (kind !== 'person' || token === undefined) {
    throw new UsageError("fleet-sim needs the token of a person: a node's token may not read what became of the nodes.")
  }
  return { url, token, participantId, sessionId: await connection.sessionId() }
}

const printReport = async (report: FleetReport, json: boolean): Promise<void> => {
  if (json) return print(JSON.stringify(report))
  const width = Math.max(...Object.keys(report.figures).map((name) => name.length))
  for (const [name, value] of Object.entries(report.figures)) {
    await print(`  ${name.padEnd(width)}  ${Number(value.toPrecision(3)).toLocaleString('en-US')}`)
  }
  for (const { name, ok, detail } of report.checks) await print(`${ok ? 'ok    ' : 'FAILED'}  ${name}: ${detail}`)
}
