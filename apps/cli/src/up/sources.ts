import { accessSync, constants, statSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { UsageError } from '../core/failure.ts'

/** Where the traffic to capture comes from; `daemons` are the arguments of each daemon. */
export type Source =
  | { kind: 'given'; daemons: string[][] }
  | { kind: 'own cluster'; server: string }
  | { kind: 'synthetic' }

const TARGETS_PER_DAEMON = 3
const OWN_DAEMONS = 3

const targetArguments = (urls: readonly string[]): string[] => urls.flatMap((url) => ['--target', url])

/** Servers that were named come first, then a server program of this machine, then the traffic built into the daemon. */
export const chooseSource = (
  named: { targets: readonly string[]; clusters: readonly string[] },
  server: string | undefined,
): Source => {
  const daemons = [
    ...Array.from({ length: Math.ceil(named.targets.length / TARGETS_PER_DAEMON) }, (_, index) =>
      targetArguments(named.targets.slice(index * TARGETS_PER_DAEMON, (index + 1) * TARGETS_PER_DAEMON)),
    ),
    ...named.clusters.map((seed) => ['--cluster', seed]),
  ]
  if (daemons.length > 0) return { kind: 'given', daemons }
  return server === undefined ? { kind: 'synthetic' } : { kind: 'own cluster', server }
}

/** Arguments of the three daemons that read one source each. */
export const syntheticDaemons = (): string[][] =>
  Array.from({ length: OWN_DAEMONS }, () => targetArguments(['synthetic:']))

/** Arguments of one daemon a primary. */
export const primaryDaemons = (ports: readonly number[]): string[][] =>
  ports.map((port) => targetArguments([`redis://127.0.0.1:${port}`]))

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** `$REDIS_SERVER`, else `valkey-server` or `redis-server` on PATH. Throws a UsageError when REDIS_SERVER cannot be run. */
export const findServerProgram = (env: NodeJS.ProcessEnv): string | undefined => {
  const named = env['REDIS_SERVER']
  if (named !== undefined && named !== '') {
    if (isProgram(named)) return named
    throw new UsageError(`REDIS_SERVER names ${named}, which cannot be run.`)
  }
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return ['valkey-server', 'redis-server']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find(isProgram)
}

/** The program's name, as people know it. */
export const programName = (path: string): string => basename(path)
