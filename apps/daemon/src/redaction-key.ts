import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createHmacSha256, type KeyedHash } from '@sonde/capture-format/redact'
import { SondeError } from '@sonde/contracts'

/** What masked arguments are hashed with. It never leaves the host; daemons that share it give equal values equal hashes. */
export interface RedactionKey {
  readonly hash: KeyedHash
  /** Tells keys apart without telling them: the first 16 hex digits of the key's SHA-256. */
  readonly fingerprint: string
}

const BYTES = 32
const TEXT = new RegExp(`^[0-9a-f]{${2 * BYTES}}$`, 'i')

export const redactionKeyOf = (key: Uint8Array): RedactionKey => ({
  hash: createHmacSha256(key),
  fingerprint: createHash('sha256').update(key).digest('hex').slice(0, 16),
})

/**
 * Reads the key: of `file` where one is given, which must be there, else of the state directory, which this process holds, where it
 * is made (0600) at the first call. Throws `request.invalid` with the name of the file that cannot be read or holds no key.
 */
export const loadRedactionKey = (stateDir: string, file?: string): RedactionKey => {
  const path = file ?? join(stateDir, 'redaction-key')
  const text = readText(path) ?? (file === undefined ? make(path) : undefined)
  if (text === undefined) throw bad(`SONDE_REDACTION_KEY_FILE: there is no ${path}`)
  if (!TEXT.test(text.trim())) {
    throw bad(`${path} must hold ${2 * BYTES} hex digits; make one with: openssl rand -hex ${BYTES}`)
  }
  return redactionKeyOf(Buffer.from(text.trim(), 'hex'))
}

const bad = (message: string): SondeError => new SondeError('request.invalid', { message })

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw bad(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Whole or not at all, so that a crash leaves no half of a key. */
const make = (path: string): string => {
  const text = `${randomBytes(BYTES).toString('hex')}\n`
  writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
  return text
}
