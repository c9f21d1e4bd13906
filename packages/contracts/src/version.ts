import { z } from 'zod'

/** `MAJOR.MINOR`, each without leading zeros and of at most 9 digits, so exact in int4, in Number and in SQL. */
export const VERSION_PATTERN = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$/

/** A client version or a floor. */
export const versionSchema = z.string().max(64).regex(VERSION_PATTERN, 'must be MAJOR.MINOR, for example 2.10')

/**
 * Total order of versions, numeric: major first, then minor. Takes validated texts only; parse stored ones first,
 * because a malformed text must fail closed and never read as "at floor".
 */
export const compareVersions = (a: string, b: string): -1 | 0 | 1 => {
  const [aMajor, aMinor] = parse(a)
  const [bMajor, bMinor] = parse(b)
  if (aMajor !== bMajor) return aMajor < bMajor ? -1 : 1
  if (aMinor !== bMinor) return aMinor < bMinor ? -1 : 1
  return 0
}

const parse = (version: string): [major: number, minor: number] => {
  const match = VERSION_PATTERN.exec(version)
  if (!match) throw new RangeError('not a MAJOR.MINOR version')
  return [Number(match[1]), Number(match[2])]
}
