import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from './failure.ts'

/** The checkout that this program lies in. */
const CHECKOUT = fileURLToPath(new URL('../../../..', import.meta.url))
export const DEFAULT_URL = 'http://127.0.0.1:7373'
const FILE_NAME = 'cli.json'

/** What `sonde up` leaves in `<data dir>/cli.json` for the other commands. */
export interface CliFile {
  url: string
  token: string
  sessionId: string
}

/** Where to call, as whom, and in which session (an id or a name; absent: the first one of the caller). */
export interface Settings {
  url: string
  token: string | undefined
  session: string | undefined
}

export interface ConnectionFlags {
  url?: string
  token?: string
  session?: string
}

const given = (text: string | undefined): string | undefined => (text === undefined || text === '' ? undefined : text)

/** A flag that was meant to say something: an empty one is a variable that was not set, and must not fall back to another value. */
const flagged = (text: string | undefined, name: string): string | undefined => {
  if (text === '') throw new UsageError(`${name} is empty. Give it a value, or leave it out.`)
  return text
}

/** Throws a UsageError for a text that no token is; the text is not told. */
const tokenOf = (text: string | undefined, origin: string): string | undefined => {
  const token = text?.trim()
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token
  throw new UsageError(`${origin} is no token: it must be one word without spaces and line breaks.`)
}

/** Without its last slashes, so that two ways to write one place are equal. */
const normalUrl = (text: string, origin: string): string => {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new UsageError(`${origin} must be an http:// or https:// URL, for example ${DEFAULT_URL}`)
  }
  return text.replace(/\/+$/, '')
}

/**
 * Flags before environment before file. The file's token and session go to the file's own URL only, so that naming another
 * control plane never sends it a token that it should not see. Throws a UsageError for a URL that is none, for a token
 * that can be none, and for an empty flag.
 */
export const resolveSettings = (
  flags: ConnectionFlags,
  env: NodeJS.ProcessEnv,
  file: CliFile | undefined,
): Settings => {
  const flagUrl = flagged(flags.url, '--url')
  const envUrl = given(env['SONDE_URL'])
  const fileUrl = file === undefined ? undefined : normalUrl(file.url, FILE_NAME)
  const url =
    flagUrl !== undefined
      ? normalUrl(flagUrl, '--url')
      : envUrl !== undefined
        ? normalUrl(envUrl, 'SONDE_URL')
        : (fileUrl ?? DEFAULT_URL)
  const own = fileUrl === url ? file : undefined
  return {
    url,
    token:
      tokenOf(flagged(flags.token, '--token'), '--token') ??
      tokenOf(given(env['SONDE_TOKEN']), 'SONDE_TOKEN') ??
      own?.token,
    session: flagged(flags.session, '--session') ?? given(env['SONDE_SESSION']) ?? own?.sessionId,
  }
}

/** A cli.json as text; undefined when it is not one. */
export const parseCliFile = (text: string): CliFile | undefined => {
  try {
    const { url, token, sessionId } = JSON.parse(text) as Record<string, unknown>
    if (typeof url !== 'string' || typeof token !== 'string' || typeof sessionId !== 'string') return undefined
    return { url, token, sessionId }
  } catch {
    return undefined
  }
}

/** The cli.json of a data directory, if there is one. */
export const readCliFile = (dataDir: string): CliFile | undefined => {
  const path = join(dataDir, FILE_NAME)
  return existsSync(path) ? parseCliFile(readFileSync(path, 'utf8')) : undefined
}

/** Where a data directory's cli.json lies. */
export const cliFilePath = (dataDir: string): string => join(dataDir, FILE_NAME)

/** The data directory of `sonde up`: the flag, SONDE_DATA_DIR, else `.data` in the checkout. */
export const dataDirOf = (flag: string | undefined, env: NodeJS.ProcessEnv): string => {
  const named = given(flag) ?? given(env['SONDE_DATA_DIR'])
  return named === undefined ? join(CHECKOUT, '.data') : resolve(named)
}

/** The settings of this process. */
export const loadSettings = (flags: ConnectionFlags): Settings => {
  const { env } = process
  const named = given(env['SONDE_DATA_DIR'])
  const dirs = named === undefined ? [resolve('.data'), join(CHECKOUT, '.data')] : [resolve(named)]
  const [file] = dirs.flatMap((dir) => readCliFile(dir) ?? [])
  return resolveSettings(flags, env, file)
}
