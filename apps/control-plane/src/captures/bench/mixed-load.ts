import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { seededRandom } from '@sonde/testing'

/** Traffic at a steady rate, as fast a client as there can be: commands are encoded once and written in slices. */
export interface MixedLoad extends AsyncDisposable {
  /** Commands sent so far. */
  readonly sent: number
}

/** Weights in percent: a web shop, mostly reads of small keys, some writes of up to 200 bytes. */
const MIX: readonly (readonly [weight: number, make: (draw: (below: number) => number) => string[]])[] = [
  [50, (draw) => ['GET', `product:${draw(20_000)}`]],
  [15, (draw) => ['SET', `session:${draw(5_000)}`, 'x'.repeat(32 + draw(168)), 'EX', '1800']],
  [10, (draw) => ['HGETALL', `user:${draw(10_000)}`]],
  [8, (draw) => ['INCR', `visits:${draw(500)}`]],
  [7, (draw) => ['HSET', `user:${draw(10_000)}`, 'seen', String(draw(1_000_000))]],
  [5, (draw) => ['ZADD', 'ranking', String(draw(10_000)), `product:${draw(20_000)}`]],
  [3, (draw) => ['MGET', `product:${draw(20_000)}`, `product:${draw(20_000)}`]],
  [2, (draw) => ['EXPIRE', `session:${draw(5_000)}`, '60']],
]

const COMMANDS = 50_000
const TICK_MS = 5

const encode = (args: readonly string[]): Buffer =>
  Buffer.from(`*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`)

const makeCommands = (): Buffer[] => {
  const random = seededRandom(7)
  const draw = (below: number) => Math.floor(random() * below)
  const made = Array.from({ length: COMMANDS }, () => {
    let left = draw(100)
    const [, make] = MIX.find(([weight]) => (left -= weight) < 0) ?? MIX[0]!
    return encode(make(draw))
  })
  return made
}

/** @param rate commands a second; what the server does not take in time is sent later, never dropped */
export const startMixedLoad = async (port: number, rate: number): Promise<MixedLoad> => {
  const commands = makeCommands()
  const socket: Socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.resume()
  const startedMs = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedMs) / 1_000) * rate)
    // Unsent bytes would be this process's memory.
    if (socket.writableLength > 2 ** 20) return
    const batch: Buffer[] = []
    for (; sent < due && batch.length < 10_000; sent += 1) batch.push(commands[sent % COMMANDS]!)
    if (batch.length > 0) socket.write(Buffer.concat(batch))
  }, TICK_MS)
  return {
    get sent() {
      return sent
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      socket.destroy()
      await once(socket, 'close')
    },
  }
}
