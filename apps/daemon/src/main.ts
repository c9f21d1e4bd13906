#!/usr/bin/env node
import { describeError, systemClock, toSondeError } from '@sonde/contracts'
import { pino } from 'pino'
import { readConfig } from './config.ts'
import { HELP } from './help.ts'
import { startRuntime, type Runtime } from './runtime.ts'

/** A stop takes 2 s for shipping and 2 s for the detach; what is not done by then is given up. */
const STOP_LIMIT_MS = 6000

const EXIT = { failed: 1, usage: 2 } as const

const fail = (message: string, exitCode: number = EXIT.failed): never => {
  console.error(message.replaceAll('\n', ' '))
  process.exit(exitCode)
}

let runtime: Runtime | undefined
let isStopping = false

const stop = async (then: () => void): Promise<void> => {
  if (isStopping) return
  isStopping = true
  setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref()
  await runtime?.[Symbol.asyncDispose]()
  then()
}
const onSignal = (): void => (isStopping ? process.exit(1) : void stop(() => process.exit(0)))

process.on('SIGTERM', onSignal)
process.on('SIGINT', onSignal)
// A parent that holds a channel is the reason to run: when it dies, however it dies, so does this process.
process.on('disconnect', () => void stop(() => process.exit(0)))

const run = async (argv: readonly string[]): Promise<void> => {
  try {
    const config = readConfig(argv, process.env)
    const log = pino({
      level: config.logLevel,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError },
    })
    runtime = await startRuntime({
      config,
      clock: systemClock,
      random: Math.random,
      log,
      onOnline: ({ nodeId }) => process.send?.({ kind: 'ready', nodeId }),
      onRefused: ({ code, message }) => void stop(() => fail(`${code}: ${message}`)),
      onDrained: () => void stop(() => process.exit(0)),
    })
    log.info({ nodeId: runtime.nodeId, url: config.url, stateDir: config.stateDir }, 'daemon started')
  } catch (thrown) {
    const error = toSondeError(thrown)
    if (error.code === 'request.invalid') fail(`${error.message} (sonde daemon --help shows all settings)`, EXIT.usage)
    const cause = error.code === 'internal.unexpected' ? error.cause : undefined
    fail(cause instanceof Error ? cause.message : error.message)
  }
}

const argv = process.argv.slice(2)
if (argv.includes('--help') || argv.includes('-h')) process.stdout.write(HELP, () => process.exit())
else await run(argv)
