import { accessSync, constants, statSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { UsageError } from '../core/failure.ts'

/** What one daemon reads, as URLs: servers, and clusters by one of their members. */
export interface DaemonSources {
  targets: string[]
  clusters: string[]
}

/** Where the traffic to capture comes from. */
export type Source =
  | { kind: 'given'; daemons: DaemonSources[] }
  | { kind: 'own cluster'; server: string }
  | { kind: 'synthetic' }

const TARGETS_PER_DAEMON = 3
const OWN_DAEMONS = 3

/** URLs of a variable's text, separated by white space. */
export const urlsOf = (text: string | undefined): string[] => (text ?? '').split(/\s+/).filter((word) => word !== '')

/** A daemon's settings. They go by its environment, since anybody can read a process's arguments and a URL may hold a password. */
export const sourceEnvironment = ({ targets, clusters }: DaemonSources): Record<string, string> => ({
  SONDE_TARGETS: joined(targets),
  SONDE_CLUSTERS: joined(clusters),
})

/** White space inside of a URL would make two of it. */
const joined = (urls: readonly string[]): string =>
  urls.map((url) => url.trim().replaceAll(/\s/g, encodeURIComponent)).join(' ')

/** Servers that were named come first, then a server program of this machine, then the traffic built into the daemon. */
export const chooseSource = (
  named: { targets: readonly string[]; clusters: readonly string[] },
  server: string | undefined,
): Source => {
  const daemons = [
    ...Array.from({ length: Math.ceil(named.targets.length / TARGETS_PER_DAEMON) }, (_, index) => ({
      targets: named.targets.slice(index * TARGETS_PER_DAEMON, (index + 1) * TARGETS_PER_DAEMON),
      clusters: [],
    })),
    ...named.clusters.map((seed) => ({ targets: [], clusters: [seed] })),
  ]
  if (daemons.length > 0) return { kind: 'given', daemons }
  return server === undefined ? { kind: 'synthetic' } : { kind: 'own cluster', server }
}

/** Three daemons that read one synthetic source each. */
export const syntheticDaemons = (): DaemonSources[] =>
  Array.from({ length: OWN_DAEMONS }, () => ({ targets: ['synthetic:'], clusters: [] }))

/** One daemon a primary. */
export const primaryDaemons = (ports: readonly number[]): DaemonSources[] =>
  ports.map((port) => ({ targets: [`redis://127.0.0.1:${port}`], clusters: [] }))

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
