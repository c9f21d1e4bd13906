import { isMainThread } from 'node:worker_threads'

/** Loaded into a daemon: SIGUSR2 makes its main thread do nothing else for as long as BUSY_MS says. */
if (isMainThread) {
  process.on('SIGUSR2', () => {
    const until = performance.now() + Number(process.env['BUSY_MS'])
    while (performance.now() < until);
  })
}
