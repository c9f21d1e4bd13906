import { latin1Decode, latin1Encode } from '../latin1.ts'
import { MonitorLine } from '../monitor-line.ts'
import { parseMonitorLine } from '../parse-line.ts'
import { createHmacSha256 } from './hmac-sha256.ts'
import { LineRedactor } from './line-redactor.ts'
import { redactionRulesSchema, type RedactionRules } from '@sonde/contracts'

export const KEY: Uint8Array = Uint8Array.from({ length: 32 }, (_, at) => at)

export type SomeRules = Partial<RedactionRules> & Pick<RedactionRules, 'level'>

export interface RedactTextOptions {
  rules: SomeRules
  /** The line is the beginning of a longer one. */
  isCut?: boolean
  /** The line is a stored one, which may hold marks. @default false */
  isStored?: boolean
  maxLineBytes?: number
}

/** A line in its stored form, redacted: for tests. */
export const redactText = (text: string, options: RedactTextOptions): string => {
  const { rules, isCut = false, isStored = false, maxLineBytes = 2 ** 20 } = options
  const bytes = latin1Encode(text)
  const line = new MonitorLine({ masked: isStored })
  const error = parseMonitorLine(bytes, 0, bytes.length, line)
  const redactor = new LineRedactor({
    rules: redactionRulesSchema.parse(rules),
    hash: createHmacSha256(KEY),
    maxLineBytes,
  })
  redactor.redact(0, bytes.length, line, isCut ? 'cut' : error)
  return latin1Decode(redactor.bytes, redactor.start, redactor.end)
}
