const words = new Int32Array(80)

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))

/** Takes the 16 words at the start of `words` into `state`: one block of FIPS 180-4. */
const compress = (state: Int32Array): void => {
  for (let at = 16; at < 80; at += 1) {
    words[at] = rotate(words[at - 3]! ^ words[at - 8]! ^ words[at - 14]! ^ words[at - 16]!, 1)
  }
  let [a, b, c, d, e] = state as unknown as [number, number, number, number, number]
  for (let at = 0; at < 80; at += 1) {
    let mixed = b ^ c ^ d
    let constant = at < 40 ? 0x6ed9eba1 : 0xca62c1d6
    if (at < 20) {
      mixed = (b & c) | (~b & d)
      constant = 0x5a827999
    } else if (at >= 40 && at < 60) {
      mixed = (b & c) | (b & d) | (c & d)
      constant = 0x8f1bbcdc
    }
    const next = (rotate(a, 5) + mixed + e + constant + words[at]!) | 0
    e = d
    d = c
    c = rotate(b, 30)
    b = a
    a = next
  }
  state[0]! += a
  state[1]! += b
  state[2]! += c
  state[3]! += d
  state[4]! += e
}

/**
 * SHA-1 of the bytes from `start` to `end`: what a server names a script by. Written here because the console counts shapes too,
 * and a browser's own one answers with a promise.
 */
export const sha1 = (bytes: Uint8Array, start: number, end: number): Int32Array => {
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0)
  const length = end - start
  const blocks = Math.floor((length + 8) / 64) + 1
  for (let block = 0; block < blocks; block += 1) {
    words.fill(0, 0, 16)
    for (let at = 0; at < 64; at += 1) {
      const pos = start + 64 * block + at
      if (pos > end) break
      words[at >> 2]! |= (pos === end ? 0x80 : bytes[pos]!) << (24 - 8 * (at & 3))
    }
    if (block === blocks - 1) {
      words[14] = Math.floor(length / 2 ** 29)
      words[15] = length << 3
    }
    compress(state)
  }
  return state
}
