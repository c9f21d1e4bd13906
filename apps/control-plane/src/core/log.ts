import { describeError } from '@sonde/contracts'
import { pino, type Logger } from 'pino'

/** JSON lines on stdout. */
export const createLog = (level: string): Logger =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: describeError } })
