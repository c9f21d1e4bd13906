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
    return (await client.sendCommand(args)) as unknown as RedisReply
  } finally {
    if (client.isOpen) client.destroy()
  }
}
