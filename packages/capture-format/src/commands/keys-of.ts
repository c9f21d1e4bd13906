import type { MonitorLine } from '../monitor-line.ts'
import { Role, VERBS } from './grammar.ts'
import { LineRoles } from './line-roles.ts'

const roles = new LineRoles()

/**
 * Which arguments of a parsed line are keys: writes their numbers, the verb being 0, to `out` in order, and answers how many.
 * None for a keyless verb, for channels, and for a verb that the command table does not have. Argument `n` is `line.bytes`
 * from `line.ranges[2 * n]` to `line.ranges[2 * n + 1]`, still escaped, or a mark where `line.isMasked(n)`.
 *
 * @example
 * const keys: number[] = []
 * const count = keysOf(line, keys)
 * for (let at = 0; at < count; at += 1) console.log(decodeArgument(line.bytes, line.ranges[2 * keys[at]!]!, line.ranges[2 * keys[at]! + 1]!))
 */
export const keysOf = (line: MonitorLine, out: number[]): number => {
  if (line.argc < 2) {
    out.length = 0
    return 0
  }
  if (VERBS.find(line.bytes, line.ranges[0]!, line.ranges[1]!)?.isFirstKeyOnly === true) {
    out[0] = 1
    out.length = 1
    return 1
  }
  roles.read(line)
  let count = 0
  for (let index = 1; index < line.argc; index += 1) {
    if (roles.roles[index] !== Role.key) continue
    out[count] = index
    count += 1
  }
  out.length = count
  return count
}
