import { Agent, request } from 'node:http'
import { createWireLane, poll, seededRandom, type WireLane } from '@sonde/testing'

/** A way to send beats over a fixed number of connections. */
export interface BeatSender extends Disposable {
  readonly connections: number
  /** Sends one beat; `done` is told whether it was accepted. */
  send(connection: number, nodeId: string, done: (accepted: boolean) => void): void
}

interface Place {
  url: string
  /** Taken in turn. */
  tokens: readonly string[]
}

/** Beats as calls on WebSockets. */
export const openLanes = async ({ url, tokens }: Place, connections: number): Promise<BeatSender> => {
  const lanes: WireLane[] = []
  for (let at = 0; at < connections; at += 1) {
    const token = tokens[at % tokens.length] ?? ''
    const lane = createWireLane({ url, token, random: seededRandom(at), onOpen: () => undefined })
    lane.open()
    lanes.push(lane)
    // More than the listen queue holds at once would be tried again by the kernel a second later.
    if (at % 200 === 199) await allOpen(lanes)
  }
  await allOpen(lanes)
  return {
    connections,
    send: (connection, nodeId, done) =>
      lanes[connection]?.call(
        {
          type: 'mutation',
          path: 'runtimeNode.heartbeat',
          input: { nodeId, healthState: 'online', epoch: 1 },
        },
        (answer) => done(answer.kind === 'answered'),
      ),
    [Symbol.dispose]: () => {
      for (const lane of lanes) lane.close()
    },
  }
}

const allOpen = (lanes: readonly WireLane[]): Promise<unknown> =>
  poll(() => lanes.every((lane) => lane.isOpen), { what: `${lanes.length} connections`, timeoutMs: 60_000 })

/** Beats as HTTP requests on connections that are kept open. */
export const openHttp = (url: string, connections: number): BeatSender => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const headers = { 'content-type': 'application/json' }
  return {
    connections,
    send: (_connection, nodeId, done) => {
      const call = request(`${url}/heartbeat`, { method: 'POST', agent, headers }, (response) => {
        response.resume().once('end', () => done(response.statusCode === 200))
      })
      call.once('error', () => done(false))
      call.end(JSON.stringify({ nodeId, healthState: 'online', epoch: 1 }))
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}
