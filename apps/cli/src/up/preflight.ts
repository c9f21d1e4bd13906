import { connect } from 'node:net'
import { LocalFailure, UsageError } from '../core/failure.ts'
import { plainText } from '../print/plain-text.ts'

const ANSWER_MS = 5_000
const DEFAULT_PORT = 6379

/** Where a `redis://` URL points, without its credentials. Throws a UsageError that names the option. */
export const addressOfUrl = (url: string, option: string): { host: string; port: number } => {
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol) || new URL(url).hostname === '') {
    throw new UsageError(`${option} takes a URL such as redis://127.0.0.1:6379`)
  }
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? DEFAULT_PORT : Number(port) }
}

/** Throws when a server that was named does not answer, before anything is started. */
export const assertServersAnswer = async (named: { targets: readonly string[]; clusters: readonly string[] }) => {
  const addresses = [
    ...named.targets
      .filter((url) => !/^synthetic:?$/.test(url))
      .map((url) => addressOfUrl(url, '--target or SONDE_TARGETS')),
    ...named.clusters.map((url) => addressOfUrl(url, '--cluster or SONDE_CLUSTERS')),
  ]
  await Promise.all(addresses.map(assertAnswers))
}

const assertAnswers = async ({ host, port }: { host: string; port: number }): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const socket = connect({ host, port, timeout: ANSWER_MS })
  const refuse = (why: string): void =>
    reject(new LocalFailure(plainText(`No server answers at ${host}:${port} (${why}). Start it, or name another one.`)))
  socket.once('connect', resolve)
  socket.once('timeout', () => refuse(`nothing within ${ANSWER_MS / 1000} s`))
  socket.once('error', (error: NodeJS.ErrnoException) => refuse(error.code ?? error.message))
  await promise.finally(() => socket.destroy())
}
