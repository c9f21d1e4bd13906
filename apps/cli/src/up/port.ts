import { createServer } from 'node:net'
import { LocalFailure } from '../core/failure.ts'

/** Throws with what to do when the port cannot be had, before anything is started. */
export const assertPortFree = async (host: string, port: number): Promise<void> => {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', (cause: NodeJS.ErrnoException) =>
    reject(new LocalFailure(wordsFor(cause, host, port), { cause })),
  )
  server.listen(port, host, () => server.close(() => resolve()))
  await promise
}

const wordsFor = ({ code, message }: NodeJS.ErrnoException, host: string, port: number): string => {
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${host} is in use. Stop what uses it, or choose another with --port or SONDE_PORT.`
  }
  if (code === 'EACCES') {
    return `Port ${port} on ${host} may not be opened by this user. Choose one above 1023 with --port or SONDE_PORT.`
  }
  return `The control plane cannot listen on ${host}:${port} (${message}). Check SONDE_HOST and --port.`
}
