/** Fractional parts of the cube roots of the first 64 primes, as FIPS 180-4 has them. */
const primes: number[] = []
for (let candidate = 2; primes.length < 64; candidate += 1) {
  if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate)
}
const fraction = (root: number): number => ((root - Math.floor(root)) * 2 ** 32) | 0
const ROUNDS = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)))
const INITIAL = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)))

const schedule = new Int32Array(64)

/** Takes the 16 words at the start of `schedule` into `state`. */
const compress = (state: Int32Array): void => {
  const words = schedule
  for (let at = 16; at < 64; at += 1) {
    const near = words[at - 15]!
    const far = words[at - 2]!
    const low = ((near >>> 7) | (near << 25)) ^ ((near >>> 18) | (near << 14)) ^ (near >>> 3)
    const high = ((far >>> 17) | (far << 15)) ^ ((far >>> 19) | (far << 13)) ^ (far >>> 10)
    words[at] = (words[at - 16]! + low + words[at - 7]! + high) | 0
  }
  let a = state[0]!
  let b = state[1]!
  let c = state[2]!
  let d = state[3]!
  let e = state[4]!
  let f = state[5]!
  let g = state[6]!
  let h = state[7]!
  for (let at = 0; at < 64; at += 1) {
    const high = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const first = (h + high + ((e & f) ^ (~e & g)) + ROUNDS[at]! + words[at]!) | 0
    const low = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const second = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + first) | 0
    d = c
    c = b
    b = a
    a = (first + second) | 0
  }
  state[0] = (state[0]! + a) | 0
  state[1] = (state[1]! + b) | 0
  state[2] = (state[2]! + c) | 0
  state[3] = (state[3]! + d) | 0
  state[4] = (state[4]! + e) | 0
  state[5] = (state[5]! + f) | 0
  state[6] = (state[6]! + g) | 0
  state[7] = (state[7]! + h) | 0
}

const stateAfter = (block: Uint8Array): Int32Array => {
  const state = INITIAL.slice()
  for (let at = 0; at < 16; at += 1) schedule[at] = wordAt(block, 4 * at)
  compress(state)
  return state
}

const wordAt = (bytes: Uint8Array, pos: number): number =>
  (bytes[pos]! << 24) | (bytes[pos + 1]! << 16) | (bytes[pos + 2]! << 8) | bytes[pos + 3]!

/** Writes the first 8 bytes of a keyed hash of `bytes` from `start` to `end` as two words into `out`. */
export type KeyedHash = (bytes: Uint8Array, start: number, end: number, out: Int32Array) => void

/**
 * HMAC-SHA256, its first 8 bytes. The states after the two key blocks are kept, so a value below 56 bytes costs two
 * compressions: 1 us where a call of the native one costs 4, most of it the way there and back.
 *
 * @param key 32 bytes
 */
export const createHmacSha256 = (key: Uint8Array): KeyedHash => {
  const padded = (byte: number): Uint8Array => Uint8Array.from({ length: 64 }, (_, at) => (key[at] ?? 0) ^ byte)
  if (key.length > 64) throw new RangeError('a key is at most 64 bytes')
  const inner = stateAfter(padded(0x36))
  const outer = stateAfter(padded(0x5c))
  const state = new Int32Array(8)
  return (bytes, start, end, out) => {
    state.set(inner)
    let pos = start
    for (; end - pos >= 64; pos += 64) {
      for (let at = 0; at < 16; at += 1) schedule[at] = wordAt(bytes, pos + 4 * at)
      compress(state)
    }
    const left = end - pos
    schedule.fill(0, 0, 16)
    for (let at = 0; at < left; at += 1) schedule[at >> 2]! |= bytes[pos + at]! << (24 - 8 * (at & 3))
    schedule[left >> 2]! |= 0x80 << (24 - 8 * (left & 3))
    if (left >= 56) {
      compress(state)
      schedule.fill(0, 0, 16)
    }
    const length = 64 + end - start
    schedule[14] = Math.floor(length / 2 ** 29)
    schedule[15] = length << 3
    compress(state)
    schedule.fill(0, 0, 16)
    for (let at = 0; at < 8; at += 1) schedule[at] = state[at]!
    schedule[8] = 0x80000000 | 0
    schedule[15] = (64 + 32) << 3
    state.set(outer)
    compress(state)
    out[0] = state[0]!
    out[1] = state[1]!
  }
}
