/** What one command costs more while it is monitored: `fixedUs` and `byteUs` for each byte of its arguments, in microseconds. */
export interface CostModel {
  fixedUs: number
  byteUs: number
}

/**
 * Measured on single pipelining clients with one monitor, printable bytes. Servers changed twice how they write a line:
 * Redis 7.2 stopped formatting each byte with printf, Valkey 8.1 escapes in batches.
 */
const MODELS = {
  perByteFormat: { fixedUs: 1.1, byteUs: 0.043 },
  perByteAppend: { fixedUs: 0.7, byteUs: 0.014 },
  batched: { fixedUs: 0.7, byteUs: 0.0015 },
} as const satisfies Record<string, CostModel>

const isAtLeast = (version: readonly number[], major: number, minor: number): boolean => {
  const [ownMajor = 0, ownMinor = 0] = version
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

/** The model of a server. One whose version is not known is taken for the most expensive. */
export const costModelOf = (server: { version: string | null; isValkey: boolean }): CostModel => {
  const version = (server.version ?? '').split('.').map(Number)
  if (server.version === null || version.some(Number.isNaN)) return MODELS.perByteFormat
  if (server.isValkey && isAtLeast(version, 8, 1)) return MODELS.batched
  return isAtLeast(version, 7, 2) ? MODELS.perByteAppend : MODELS.perByteFormat
}

/** What a server says of its traffic, as `INFO stats` has it. */
export interface Traffic {
  opsPerSecond: number
  /** `instantaneous_input_kbps`: 1024 bytes a second. */
  inputKbps: number
}

/** Share of one core that a monitor costs the server at this traffic. The protocol's own bytes count as arguments: an upper bound. */
export const predictCpuShare = (model: CostModel, { opsPerSecond, inputKbps }: Traffic): number =>
  (opsPerSecond * model.fixedUs + inputKbps * 1024 * model.byteUs) / 1e6

/** The same from the values of `INFO`; null when it does not tell its traffic. */
export const predictedCpuShare = (info: ReadonlyMap<string, string>): number | null => {
  const valkey = info.get('valkey_version')
  const model = costModelOf({ version: valkey ?? info.get('redis_version') ?? null, isValkey: valkey !== undefined })
  const opsPerSecond = Number(info.get('instantaneous_ops_per_sec') ?? Number.NaN)
  const inputKbps = Number(info.get('instantaneous_input_kbps') ?? Number.NaN)
  const share = predictCpuShare(model, { opsPerSecond, inputKbps })
  return Number.isFinite(share) ? share : null
}
