import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CAPTURE_LIMITS, ENROLLMENT_PATTERN, SondeError, uuidSchema } from '@sonde/contracts'
import { readImpactLimits } from './guard/impact-limits.ts'
import type { ImpactLimits } from './guard/impact.ts'
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
  /** Absent: the node gets its tokens for its key. */
  token?: string
  /** Takes the node's key in, once. */
  enrollment?: { token: string; name: string }
  /** @default the session that the token is for */
  sessionId?: string
  targets: TargetSpec[]
  /** Shown beside the node and as the host of a synthetic target. */
  name?: string
  /** Holds the node's id and the spool. @default ~/.sonde */
  stateDir: string
  /** What the spool may take on disk, in bytes. @default 1 GiB */
  spoolBytes: number
  /** Holds the key that masked arguments are hashed with. @default one of the state directory */
  redactionKeyFile?: string
  /** What reading may cost a server. */
  impact: ImpactLimits
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

/** Values with the name under which each was given: those of a repeated flag, else of its variable, with spaces between. */
const named = (flag: string, flags: readonly string[], variable: [name: string, text: string | undefined]) => {
  const words = (variable[1] ?? '').split(/\s+/).filter((word) => word !== '')
  const [name, values] = flags.length > 0 ? [flag, flags] : [variable[0], words]
  return values.map((value, index): [string, string] => [`${name} number ${index + 1}`, value])
}

const parseTarget = ([name, text]: readonly [string, string]): TargetSpec => {
  if (text === 'synthetic' || text === 'synthetic:') return { kind: 'synthetic' }
  return { kind: 'server', address: parseServerAddress(text, name) }
}

const parseCluster = ([name, text]: readonly [string, string]): TargetSpec => ({
  kind: 'cluster',
  address: parseServerAddress(text, name),
})

const SPOOL_BYTES = { default: 2 ** 30, min: 2 ** 20, max: 2 ** 40 } as const

const parseSpoolBytes = (text: string | undefined): number => {
  if (text === undefined) return SPOOL_BYTES.default
  const bytes = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (bytes >= SPOOL_BYTES.min && bytes <= SPOOL_BYTES.max) return bytes
  throw bad(`SONDE_SPOOL_BYTES: must be a number of bytes from ${SPOOL_BYTES.min} to ${SPOOL_BYTES.max}`)
}

const parseArguments = (argv: readonly string[]) => {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      options: {
        url: { type: 'string' },
        token: { type: 'string' },
        enroll: { type: 'string' },
        session: { type: 'string' },
        target: { type: 'string', multiple: true, default: [] },
        cluster: { type: 'string', multiple: true, default: [] },
        name: { type: 'string' },
        'state-dir': { type: 'string' },
      },
    }).values
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // What stands without a name may be a URL with its password.
    if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') {
      throw bad('a word without an option: name a server with --target or --cluster')
    }
    // The first sentence says what is wrong; the others are about arguments that a daemon does not have.
    throw bad(message.split('. ')[0] ?? message)
  }
}

const readEnrollment = (
  enroll: string | undefined,
  { token, name }: { token: string | undefined; name: string | undefined },
): DaemonConfig['enrollment'] => {
  if (enroll === undefined) return undefined
  if (!ENROLLMENT_PATTERN.test(enroll)) {
    throw bad('--enroll or SONDE_ENROLL: must be a token that `sonde nodes enroll` printed')
  }
  if (token !== undefined) throw bad('--enroll and --token: give one of them; an enrolled node gets its tokens itself')
  if (name === undefined) throw bad('--name is missing: the name that the enrollment token was made for')
  return { token: enroll, name }
}

/**
 * Reads the arguments and the environment, arguments first: a flag takes the place of its variable, also where both are lists.
 * Throws `request.invalid` with the name of the setting that is missing or bad, and never with a token or password.
 */
export const readConfig = (argv: readonly string[], environment: NodeJS.ProcessEnv): DaemonConfig => {
  const values = parseArguments(argv)
  // An empty variable counts as absent.
  const fromEnvironment = (name: string): string | undefined => environment[name] || undefined
  const url = values.url ?? fromEnvironment('SONDE_URL')
  const token = values.token ?? fromEnvironment('SONDE_TOKEN')
  const session = values.session ?? fromEnvironment('SONDE_SESSION')
  const redactionKeyFile = fromEnvironment('SONDE_REDACTION_KEY_FILE')
  const logLevel = fromEnvironment('SONDE_LOG_LEVEL') ?? 'info'
  if (!url) throw bad('--url or SONDE_URL is missing: where the control plane is, for example http://127.0.0.1:7373')
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw bad('--url or SONDE_URL: must be an http:// or https:// URL')
  }
  const sessionId = session === undefined ? undefined : uuidSchema.safeParse(session)
  if (sessionId?.success === false) throw bad('--session or SONDE_SESSION: must be a UUID')
  const level = LOG_LEVELS.find((each) => each === logLevel)
  if (level === undefined) throw bad(`SONDE_LOG_LEVEL: must be one of ${LOG_LEVELS.join(', ')}`)
  if (values.name !== undefined && !/^[^\p{C}]{1,64}$/u.test(values.name)) {
    throw bad('--name: must be 1 to 64 printable characters')
  }
  const enrollment = readEnrollment(values.enroll ?? fromEnvironment('SONDE_ENROLL'), { token, name: values.name })
  const targets: TargetSpec[] = [
    ...named('--target', values.target, ['SONDE_TARGETS', fromEnvironment('SONDE_TARGETS')]).map(parseTarget),
    ...named('--cluster', values.cluster, ['SONDE_CLUSTERS', fromEnvironment('SONDE_CLUSTERS')]).map(parseCluster),
  ]
  if (targets.length === 0) {
    throw bad(
      '--target or --cluster (SONDE_TARGETS, SONDE_CLUSTERS) is missing: which server to read, for example --target redis://127.0.0.1:6379',
    )
  }
  return {
    url,
    ...(token !== undefined && { token }),
    ...(enrollment && { enrollment }),
    ...(sessionId !== undefined && { sessionId: sessionId.data }),
    targets,
    ...(values.name !== undefined && { name: values.name }),
    stateDir: values['state-dir'] ?? fromEnvironment('SONDE_STATE_DIR') ?? join(homedir(), '.sonde'),
    spoolBytes: parseSpoolBytes(fromEnvironment('SONDE_SPOOL_BYTES')),
    ...(redactionKeyFile !== undefined && { redactionKeyFile }),
    impact: readImpactLimits(environment),
    logLevel: level,
  }
}
