import { fileURLToPath } from 'node:url'
import { CAPTURE_LIMITS, LIVENESS_DEFAULTS, RedactionLevel, SondeError, type LivenessSettings } from '@sonde/contracts'
import { z } from 'zod'

const integer = (min: number, max: number, fallback: number) =>
  z.coerce.number().int().min(min).max(max).default(fallback)

/** Where `npm run build` puts it in a checkout. */
const BUILT_CONSOLE = fileURLToPath(new URL('../../console/dist', import.meta.url))

const environmentSchema = z.object({
  /** The Postgres (15 or later) that holds everything. */
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' }),
  /** A replica of it for the queries of people; absent: itself. */
  READ_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' }).optional(),
  /** Connections of this process to it. */
  SONDE_DATABASE_CONNECTIONS: integer(2, 200, 10),
  SONDE_HOST: z.string().default('127.0.0.1'),
  /** 0 takes any free port. */
  SONDE_PORT: integer(0, 65_535, 7373),
  SONDE_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  SONDE_HEARTBEAT_MS: integer(50, 3_600_000, LIVENESS_DEFAULTS.heartbeatMs),
  SONDE_DEGRADED_AFTER_MS: integer(100, 3_600_000, LIVENESS_DEFAULTS.degradedAfterMs),
  SONDE_OFFLINE_AFTER_MS: integer(200, 3_600_000, LIVENESS_DEFAULTS.offlineAfterMs),
  /** `off`: this process announces nothing. Only where another one does, and in tests. */
  SONDE_SWEEP_MS: z
    .union([z.literal('off'), integer(20, 60_000, 5_000)], 'must be "off" or 20 to 60000')
    .default(5_000),
  /** Silence of more than this part of the live nodes, in percent, and of at least so many, is no verdict at first. */
  SONDE_BREAKER_PERCENT: integer(1, 100, LIVENESS_DEFAULTS.breaker.share * 100),
  SONDE_BREAKER_NODES: integer(1, 1_000_000, LIVENESS_DEFAULTS.breaker.nodes),
  SONDE_BREAKER_HOLD_MS: integer(0, 3_600_000, LIVENESS_DEFAULTS.breaker.holdMs),
  /** Ends slots whose node was silent for so long; absent: never. */
  SONDE_REAP_AFTER_MS: z.coerce.number().int().min(1_000).optional(),
  SONDE_DEFAULT_BYTE_CAP: integer(
    CAPTURE_LIMITS.byteCap.min,
    CAPTURE_LIMITS.byteCap.owner,
    CAPTURE_LIMITS.byteCap.default,
  ),
  SONDE_DEFAULT_LINE_CAP: integer(
    CAPTURE_LIMITS.lineCap.min,
    CAPTURE_LIMITS.lineCap.owner,
    CAPTURE_LIMITS.lineCap.default,
  ),
  SONDE_CAPTURES_PER_TARGET: integer(1, 8, 1),
  /** What captures keep of each line in sessions that have set nothing. */
  SONDE_REDACTION_DEFAULT: z.enum(RedactionLevel).default(RedactionLevel.full),
  /** Captures are kept so many days after their time is over; `off`: until somebody sets their expiry. */
  SONDE_RETENTION_DAYS: z.union([z.literal('off'), integer(1, 3650, 30)], 'must be "off" or 1 to 3650').default(30),
  /** Wait for balancers to notice that this replica leaves, in milliseconds. */
  SONDE_DRAIN_WAIT_MS: integer(0, 60_000, 0),
  /** The built console. */
  SONDE_CONSOLE_DIR: z.string().min(1).default(BUILT_CONSOLE),
})

/** Settings of one control-plane process. */
export interface Config {
  databaseUrl: string
  readDatabaseUrl: string
  databaseConnections: number
  host: string
  port: number
  logLevel: string
  liveness: LivenessSettings
  captures: {
    defaultByteCap: number
    defaultLineCap: number
    capturesPerTarget: number
    redactionDefault: RedactionLevel
    /** Null: no expiry. */
    retentionDays: number | null
  }
  drainWaitMs: number
  consoleDir: string
}

/** Reads the environment, once; a bad value stops the start and names the setting. */
export const readConfig = (environment: NodeJS.ProcessEnv): Config => {
  const parsed = environmentSchema.safeParse(environment)
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new SondeError('request.invalid', { message: `Bad settings. ${issues.join('; ')}` })
  }
  const values = parsed.data
  const liveness: LivenessSettings = {
    heartbeatMs: values.SONDE_HEARTBEAT_MS,
    degradedAfterMs: values.SONDE_DEGRADED_AFTER_MS,
    offlineAfterMs: values.SONDE_OFFLINE_AFTER_MS,
    sweepMs: values.SONDE_SWEEP_MS === 'off' ? null : values.SONDE_SWEEP_MS,
    breaker: {
      share: values.SONDE_BREAKER_PERCENT / 100,
      nodes: values.SONDE_BREAKER_NODES,
      holdMs: values.SONDE_BREAKER_HOLD_MS,
    },
    reapAfterMs: values.SONDE_REAP_AFTER_MS ?? null,
  }
  requireOrder(liveness)
  return {
    databaseUrl: values.DATABASE_URL,
    readDatabaseUrl: values.READ_DATABASE_URL ?? values.DATABASE_URL,
    databaseConnections: values.SONDE_DATABASE_CONNECTIONS,
    host: values.SONDE_HOST,
    port: values.SONDE_PORT,
    logLevel: values.SONDE_LOG_LEVEL,
    liveness,
    captures: {
      defaultByteCap: values.SONDE_DEFAULT_BYTE_CAP,
      defaultLineCap: values.SONDE_DEFAULT_LINE_CAP,
      capturesPerTarget: values.SONDE_CAPTURES_PER_TARGET,
      redactionDefault: values.SONDE_REDACTION_DEFAULT,
      retentionDays: values.SONDE_RETENTION_DAYS === 'off' ? null : values.SONDE_RETENTION_DAYS,
    },
    drainWaitMs: values.SONDE_DRAIN_WAIT_MS,
    consoleDir: values.SONDE_CONSOLE_DIR,
  }
}

/** A sweep that is slower than `degraded` would take its own pause for deafness; a reaper faster than `offline` would end live slots. */
const requireOrder = (liveness: LivenessSettings): void => {
  const { heartbeatMs, degradedAfterMs, offlineAfterMs, sweepMs, reapAfterMs } = liveness
  const refuse = (rule: string) => {
    throw new SondeError('request.invalid', { message: `Bad settings. ${rule} must hold.` })
  }
  if (!(heartbeatMs < degradedAfterMs && degradedAfterMs < offlineAfterMs)) {
    refuse('SONDE_HEARTBEAT_MS < SONDE_DEGRADED_AFTER_MS < SONDE_OFFLINE_AFTER_MS')
  }
  if (sweepMs !== null && sweepMs >= degradedAfterMs) refuse('SONDE_SWEEP_MS < SONDE_DEGRADED_AFTER_MS')
  if (reapAfterMs !== null && reapAfterMs <= offlineAfterMs) refuse('SONDE_OFFLINE_AFTER_MS < SONDE_REAP_AFTER_MS')
}
