import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CAPTURE_LIMITS, SondeError, uuidSchema } from '@sonde/contracts'
import { parseServerAddress, type ServerAddress } from './server-address.ts'

/** What the daemon is told to read: one server, all members of a cluster by one of them, or the traffic source built in. */
export type TargetSpec =
  | { kind: 'server'; address: ServerAddress }
  | { kind: 'cluster'; address: ServerAddress }
  | { kind: 'synthetic' }

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

/** Settings of one daemon. */
export interface DaemonConfig {
  url: string
  token: string
  /** @default the session that the token is for */
  sessionId?: string
  targets: TargetSpec[]
  /** Shown beside the node and as the host of a synthetic target. */
  name?: string
  /** Holds the node's id. @default ~/.sonde */
  stateDir: string
  logLevel: (typeof LOG_LEVELS)[number]
}

/** What this host allows whatever the control plane asks: milliseconds and bytes. */
export const OWN_CEILINGS = {
  durationMs: CAPTURE_LIMITS.durationMs.owner,
  bytes: CAPTURE_LIMITS.byteCap.owner,
  lines: CAPTURE_LIMITS.lineCap.owner,
  chunkBytes: CAPTURE_LIMITS.uploadBytes / 2,
  lineBytes: CAPTURE_LIMITS.uploadBytes / 2,
} as const

const bad = (message: string): SondeError => new SondeError('request.invalid', { message })

const parseTarget = (text: string, index: number): TargetSpec => {
  if (text === 'synthetic' || text === 'synthetic:') return { kind: 'synthetic' }
  return { kind: 'server', address: parseServerAddress(text, `--target number ${index + 1}`) }
}

const parseArguments = (argv: readonly string[]) => {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      options: {
        url: { type: 'string' },
        token: { type: 'string' },
        session: { type: 'string' },
        target: { type: 'string', multiple: true, default: [] },
        cluster: { type: 'string', multiple: true, default: [] },
        name: { type: 'string' },
        'state-dir': { type: 'string' },
      },
    }).values
  } catch (error) {
    throw bad(error instanceof Error ? error.message : 'Bad arguments.')
  }
}

/**
 * Reads the arguments and the environment, arguments first. Throws `request.invalid` with the name of the setting that is
 * missing or bad, and never with a token or password.
 */
export const readConfig = (argv: readonly string[], environment: NodeJS.ProcessEnv): DaemonConfig => {
  const values = parseArguments(argv)
  const url = values.url ?? environment['SONDE_URL']
  const token = values.token ?? environment['SONDE_TOKEN']
  const session = values.session ?? environment['SONDE_SESSION']
  const logLevel = environment['SONDE_LOG_LEVEL'] ?? 'info'
  if (!url) throw bad('--url or SONDE_URL is missing: where the control plane is, for example http://127.0.0.1:7373')
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw bad('--url or SONDE_URL: must be an http:// or https:// URL')
  }
  if (!token) throw bad('--token or SONDE_TOKEN is missing: make one with `sonde token create`')
  const sessionId = session === undefined ? undefined : uuidSchema.safeParse(session)
  if (sessionId?.success === false) throw bad('--session or SONDE_SESSION: must be a UUID')
  const level = LOG_LEVELS.find((each) => each === logLevel)
  if (level === undefined) throw bad(`SONDE_LOG_LEVEL: must be one of ${LOG_LEVELS.join(', ')}`)
  if (values.name !== undefined && !/^[^\p{C}]{1,64}$/u.test(values.name)) {
    throw bad('--name: must be 1 to 64 printable characters')
  }
  const targets: TargetSpec[] = [
    ...values.target.map(parseTarget),
    ...values.cluster.map((text, index): TargetSpec => ({
      kind: 'cluster',
      address: parseServerAddress(text, `--cluster number ${index + 1}`),
    })),
  ]
  if (targets.length === 0) {
    throw bad('--target or --cluster is missing: which server to read, for example --target redis://127.0.0.1:6379')
  }
  return {
    url,
    token,
    ...(sessionId !== undefined && { sessionId: sessionId.data }),
    targets,
    ...(values.name !== undefined && { name: values.name }),
    stateDir: values['state-dir'] ?? environment['SONDE_STATE_DIR'] ?? join(homedir(), '.sonde'),
    logLevel: level,
  }
}
