/** Slots of a cluster. */
export const SLOT_COUNT = 16_384

const BRACE_OPEN = 0x7b
const BRACE_CLOSE = 0x7d

/** CRC-16/XMODEM (polynomial 0x1021, start 0), the checksum of keys in a cluster. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc & 0xffff
})

export const crc16 = (bytes: Uint8Array, start: number = 0, end: number = bytes.length): number => {
  let crc = 0
  for (let pos = start; pos < end; pos += 1) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >>> 8) ^ bytes[pos]!]!
  return crc
}

/**
 * The slot of a key in a cluster. Of a key with a hash tag only what is between the first `{` and the first `}` behind it
 * counts, when that is not empty.
 */
export const hashSlot = (bytes: Uint8Array, start: number = 0, end: number = bytes.length): number => {
  for (let open = start; open < end; open += 1) {
    if (bytes[open] !== BRACE_OPEN) continue
    for (let close = open + 1; close < end; close += 1) {
      if (bytes[close] !== BRACE_CLOSE) continue
      return (close === open + 1 ? crc16(bytes, start, end) : crc16(bytes, open + 1, close)) % SLOT_COUNT
    }
    break
  }
  return crc16(bytes, start, end) % SLOT_COUNT
}
