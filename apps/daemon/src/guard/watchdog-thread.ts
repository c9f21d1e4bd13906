import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
// Not all of the contracts: schemas that this thread does not need are 30 MB.
import { systemClock } from '@sonde/contracts/clock'
import { ControlConnection } from '../control-connection.ts'
import type { FromWatchdogs, ToWatchdogs } from './guard-messages.ts'
import { Watchdog } from './watchdog.ts'

/** The thread of the watchdogs: they go on when the thread that reads does not. */
if (!parentPort) throw new Error('This file runs as a worker thread. Call startGuard instead.')
const port = (workerData as { port: MessagePort }).port
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
const tell = (message: FromWatchdogs): void => port.postMessage(message)

const watchdogs = new Map<number, { watchdog: Watchdog; control: ControlConnection }>()

const prepare = async ({ key, address, clientName, limits }: Extract<ToWatchdogs, { kind: 'prepare' }>) => {
  const control = new ControlConnection(address, clientName)
  const watchdog = new Watchdog({
    control,
    limits,
    clock: systemClock,
    onSample: (sample) => tell({ kind: 'sample', key, sample }),
    onImpact: (impact) => tell({ kind: 'impact', key, impact }),
  })
  watchdogs.set(key, { watchdog, control })
  await watchdog.prepare()
  tell({ kind: 'prepared', key })
}

const release = (key: number): void => {
  const held = watchdogs.get(key)
  held?.watchdog[Symbol.dispose]()
  held?.control[Symbol.dispose]()
  watchdogs.delete(key)
}

port.on('message', (message: ToWatchdogs) => {
  if (message.kind === 'prepare') void prepare(message)
  else if (message.kind === 'watch') void watchdogs.get(message.key)?.watchdog.watch(message.reader)
  else release(message.key)
})
