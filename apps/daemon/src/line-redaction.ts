import { createHash } from 'node:crypto'
import { LineRedactor } from '@sonde/capture-format/redact'
import type { LineErrorKind } from '@sonde/capture-format'
import { canonicalRules, redactionRulesSchema, type RedactionRules } from '@sonde/contracts'
import type { RedactionKey } from './redaction-key.ts'
import type { OpenCommand } from './segment.ts'
import type { SourceLine } from './source/source.ts'

/** A line as it is stored. `bytes` are used again for the next one. */
export interface StoredLine {
  bytes: Uint8Array
  start: number
  end: number
  error: LineErrorKind | null
  parsed: { eventUs: number }
}

export type RedactLine = (line: SourceLine) => StoredLine

/** The rules of a command; undefined when this daemon does not know them. */
export const rulesOf = ({ policy }: Pick<OpenCommand, 'policy'>): RedactionRules | undefined =>
  redactionRulesSchema.safeParse(policy).data

/** The proof that a daemon redacts by the rules that were meant. */
export const proofOf = (rules: RedactionRules, { fingerprint }: RedactionKey) => ({
  sha256: createHash('sha256').update(canonicalRules(rules)).digest('hex'),
  keyFingerprint: fingerprint,
})

/** Masks lines by the rules of a command. Rules that are not known keep the least. */
export const compileRedaction = (command: Pick<OpenCommand, 'policy' | 'chunk'>, key: RedactionKey): RedactLine => {
  const rules = rulesOf(command) ?? { level: 'keys', keyPatterns: [], keepKeyPrefix: false }
  const redactor = new LineRedactor({ rules, hash: key.hash, maxLineBytes: command.chunk.maxLineBytes })
  const stored: StoredLine = { bytes: redactor.bytes, start: 0, end: 0, error: null, parsed: { eventUs: -1 } }
  return ({ start, end, parsed, error }) => {
    redactor.redact(start, end, parsed, error)
    stored.bytes = redactor.bytes
    stored.start = redactor.start
    stored.end = redactor.end
    stored.error = redactor.error
    stored.parsed = parsed
    return stored
  }
}
