import { createClient } from '@redis/client'

/** A reply of the server, as it came. */
export type RedisReply = string | number | null | RedisReply[]

const TIMEOUT_MS = 5_000

/** Sends one command to 127.0.0.1 on a connection of its own; throws the server's error reply, or when it does not answer in 5 s. */
export const sendRedisCommand = async (port: number, args: readonly string[]): Promise<RedisReply> => {
  const client = createClient({
    socket: {
      host: '127.0.0.1',
      port,
      reconnectStrategy: false,
      connectTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
    },
    disableClientInfo: true,
    maintNotifications: 'disabled',
    RESP: 2,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    return toReply(await client.sendCommand([...args]))
  } finally {
    if (client.isOpen) client.destroy()
  }
}

const toReply = (value: unknown): RedisReply => {
  if (typeof value === 'string' || typeof value === 'number' || value === null) return value
  if (Array.isArray(value)) return value.map(toReply)
  throw new Error(`The server's reply is of an unknown kind: ${typeof value}`)
}
