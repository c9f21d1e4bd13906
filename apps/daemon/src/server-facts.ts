import type { Dialect } from '@sonde/capture-format'
import type { TargetRole } from '@sonde/contracts'
import { predictedCpuShare } from './guard/cost-model.ts'

/** What INFO says of a server. */
export interface ServerFacts {
  serverVersion: string | null
  role: TargetRole
  runId: string | null
  isCluster: boolean
  /** Share of one core that a monitor is predicted to cost it at its traffic of now; null is unknown. */
  monitorCpuShare: number | null
  /** How its MONITOR lines are written. */
  dialect: Dialect
}

/** The `name:value` lines of INFO, of whatever section. */
export const parseInfo = (text: string): Map<string, string> => {
  const values = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) values.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return values
}

/** 2.6 brought the brackets; before it lines name no client. */
const dialectOf = (version: string | null): Dialect => {
  const match = /^(\d+)\.(\d+)/.exec(version ?? '')
  if (match === null) return 'bracket'
  const [major, minor] = [Number(match[1]), Number(match[2])]
  return major < 2 || (major === 2 && minor < 6) ? 'paren' : 'bracket'
}

/** Reads the facts from the text of INFO. Valkey says a Redis version for compatibility, and its own beside it. */
export const readServerFacts = (info: string): ServerFacts => {
  const values = parseInfo(info)
  const serverVersion = values.get('valkey_version') ?? values.get('redis_version') ?? null
  return {
    serverVersion,
    role: values.get('role') === 'slave' ? 'replica' : 'primary',
    runId: values.get('run_id') ?? null,
    isCluster: values.get('cluster_enabled') === '1' || values.get('redis_mode') === 'cluster',
    monitorCpuShare: predictedCpuShare(values),
    dialect: dialectOf(values.get('redis_version') ?? serverVersion),
  }
}
