import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

export interface WireSocketOptions {
  /** The control plane, for example `http://127.0.0.1:7373`. */
  url: string
  token: string
  onOpen: () => void
  onText: (text: string) => void
  /** Told once: refused, closed by either side, or broken. */
  onClose: () => void
}

/** A WebSocket of a simulated node: text frames only, no buffering, no timers of its own. */
export interface WireSocket {
  send(text: string): void
  /** Reads nothing more until {@link WireSocket.resume}, and breaks nothing: what a dead network looks like to the other side. */
  pause(): void
  resume(): void
  destroy(): void
}

const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const
/** A frame of a client is masked; a key of zeros leaves the bytes as they are. */
const MASKED = 0x80
const OPEN_MS = 10_000

/**
 * Opens a WebSocket with as little code between the frames and the caller as the protocol allows: thousands of them in one
 * process must cost less than the server that they are to measure.
 */
export const openWireSocket = (options: WireSocketOptions): WireSocket => {
  const { hostname, port } = new URL(options.url)
  let isOpen = false
  let isClosed = false
  let rest: Buffer = Buffer.alloc(0)
  const socket: Socket = connect({ host: hostname, port: Number(port || 80), noDelay: true })
  const impatient = setTimeout(() => socket.destroy(), OPEN_MS)

  const write = (opcode: number, payload: Buffer): void => {
    const size = payload.length
    const extended = size < 126 ? 0 : size < 65_536 ? 2 : 8
    const frame = Buffer.alloc(6 + extended + size)
    frame[0] = 0x80 | opcode
    if (extended === 0) frame[1] = MASKED | size
    else if (extended === 2) {
      frame[1] = MASKED | 126
      frame.writeUInt16BE(size, 2)
    } else {
      frame[1] = MASKED | 127
      frame.writeBigUInt64BE(BigInt(size), 2)
    }
    payload.copy(frame, 6 + extended)
    socket.write(frame)
  }
  const onFrame = (opcode: number, payload: Buffer): void => {
    if (opcode === OPCODE.text) options.onText(payload.toString('utf8'))
    else if (opcode === OPCODE.ping) write(OPCODE.pong, payload)
    else if (opcode === OPCODE.close) socket.end()
  }
  const onData = (bytes: Buffer): void => {
    let buffer = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    if (!isOpen) {
      const end = buffer.indexOf('\r\n\r\n')
      if (end < 0) {
        rest = buffer
        return
      }
      if (!buffer.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) return void socket.destroy()
      buffer = buffer.subarray(end + 4)
      isOpen = true
      clearTimeout(impatient)
      options.onOpen()
    }
    let at = 0
    for (let frame = readFrame(buffer, at); frame; frame = readFrame(buffer, at)) {
      at = frame.end
      onFrame(frame.opcode, frame.payload)
    }
    rest = at === buffer.length ? Buffer.alloc(0) : buffer.subarray(at)
  }

  socket.on('connect', () => {
    const key = randomBytes(16).toString('base64')
    socket.write(
      `GET /trpc HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nAuthorization: Bearer ${options.token}\r\n\r\n`,
    )
  })
  socket.on('data', onData)
  socket.on('error', () => undefined)
  socket.on('close', () => {
    clearTimeout(impatient)
    if (isClosed) return
    isClosed = true
    options.onClose()
  })
  return {
    send: (text) => write(OPCODE.text, Buffer.from(text)),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    destroy: () => void socket.destroy(),
  }
}

/** The frame that begins at `at`, when all of it is there. A server sends its frames whole and unmasked. */
const readFrame = (buffer: Buffer, at: number): { opcode: number; payload: Buffer; end: number } | undefined => {
  if (buffer.length < at + 2) return undefined
  const opcode = (buffer[at] ?? 0) & 0x0f
  let size = (buffer[at + 1] ?? 0) & 0x7f
  let start = at + 2
  if (size === 126) {
    if (buffer.length < at + 4) return undefined
    size = buffer.readUInt16BE(at + 2)
    start = at + 4
  } else if (size === 127) {
    if (buffer.length < at + 10) return undefined
    size = Number(buffer.readBigUInt64BE(at + 2))
    start = at + 10
  }
  const end = start + size
  return buffer.length < end ? undefined : { opcode, payload: buffer.subarray(start, end), end }
}
