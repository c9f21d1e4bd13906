#!/usr/bin/env node
import { describeError, systemClock, toSondeError } from '@sonde/contracts'
import { pino } from 'pino'
import { readConfig } from './config.ts'
import { startRuntime, type Runtime } from './runtime.ts'

/** A stop takes 2 s for shipping and 2 s for the detach; what is not done by then is given up. */
const STOP_LIMIT_MS = 6000

const fail = (message: string): never => {
  console.error(message.replaceAll('\n', ' '))
  process.exit(1)
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

try {
  const config = readConfig(process.argv.slice(2), process.env)
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
  })
  log.info({ nodeId: runtime.nodeId, url: config.url, stateDir: config.stateDir }, 'daemon started')
} catch (thrown) {
  const error = toSondeError(thrown)
  const cause = error.code === 'internal.unexpected' ? error.cause : undefined
  fail(cause instanceof Error ? cause.message : error.message)
}
