export { decodeArgument, decodeArguments, encodeArgument } from './argument.ts'
export { keysOf } from './commands/keys-of.ts'
export { hashSlot } from './hash-slot.ts'
export {
  jsonBytes,
  jsonLineOf,
  toJsonLine,
  type JsonBytes,
  type JsonLine,
  type JsonLineContext,
  type JsonMalformedLine,
  type JsonMasked,
} from './json-line.ts'
export { latin1Decode, latin1Encode } from './latin1.ts'
export { SegmentMerge, type MergeableLine, type MergedLine } from './merge-order.ts'
export { Dialect, LineErrorKind, MonitorLine, type MonitorLineOptions } from './monitor-line.ts'
export {
  MonitorScanner,
  type MonitorScannerOptions,
  type ScannerCounters,
  type ScannerSink,
} from './monitor-scanner.ts'
export { parseLineTime, parseMonitorLine } from './parse-line.ts'
export { printMonitorLine, type PrintableLine } from './print-line.ts'
export { LATEST_EVENT_US } from './read-header.ts'
export { ReplyKind } from './reply-reader.ts'
