import { open, type FileHandle } from 'node:fs/promises'

/** Writes all bytes at a position; where it throws, whatever was written there counts as nothing and is written over. */
export const writeAt = async (handle: FileHandle, buffers: readonly Uint8Array[], position: number): Promise<void> => {
  let rest = [...buffers]
  let at = position
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at)
    at += bytesWritten
    rest = after(rest, bytesWritten)
  }
}

const after = (buffers: readonly Uint8Array[], written: number): Uint8Array[] => {
  let left = written
  const rest: Uint8Array[] = []
  for (const buffer of buffers) {
    if (left < buffer.length) rest.push(left > 0 ? buffer.subarray(left) : buffer)
    left = Math.max(0, left - buffer.length)
  }
  return rest
}

/** Makes the names in a directory survive a loss of power. */
export const syncDirectory = async (dir: string): Promise<void> => {
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
