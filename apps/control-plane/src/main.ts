#!/usr/bin/env node
import { toSondeError } from '@sonde/contracts'
import { startApp } from './app.ts'
import { readConfig } from './config.ts'

/** A second signal, or this long after the first, ends the process at once. */
const STOP_LIMIT_MS = 30_000

try {
  const app = await startApp(readConfig(process.env))
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref()
    void app[Symbol.asyncDispose]().then(() => process.exit(0))
  }
  const onSignal = () => (stopping ? process.exit(1) : stop())
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  // A parent that holds a channel is the reason to run: when it dies, however it dies, so does this process.
  process.on('disconnect', stop)
  // Last: whoever hears it may send a signal at once, which before would have ended the process without a drain.
  process.send?.({ kind: 'listening', url: app.url })
} catch (thrown) {
  const error = toSondeError(thrown)
  const cause = error.code === 'internal.unexpected' ? error.cause : undefined
  console.error(cause instanceof Error ? cause.message : error.message)
  process.exit(1)
}
