import { createClient, ErrorReply } from '@redis/client'
import type { ServerAddress } from './server-address.ts'
import { readServerFacts, type ServerFacts } from './server-facts.ts'

const TIMEOUT_MS = 5000

const openClient = (address: ServerAddress) => {
  const { host, port, path, tls, username, password } = address
  const common = { connectTimeout: TIMEOUT_MS, reconnectStrategy: false } as const
  const where = path === undefined ? { host, port } : { path }
  return createClient({
    socket: tls ? { ...common, host, port, tls: true } : { ...common, ...where, tls: false },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    RESP: 2,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  })
}

type Client = ReturnType<typeof openClient>

/** What CLIENT LIST says of one connection. */
export interface ClientEntry {
  id: string
  address: string
  name: string
  /** Output that waits in the server for this client, in bytes. */
  omemBytes: number
}

/** Reads CLIENT LIST. */
export const parseClientList = (text: string): ClientEntry[] =>
  text.split('\n').flatMap((line): ClientEntry[] => {
    const values = new Map(line.split(' ').map((pair) => [pair.split('=', 1)[0]!, pair.slice(pair.indexOf('=') + 1)]))
    const id = values.get('id')
    if (id === undefined) return []
    const [address = '', name = ''] = [values.get('addr'), values.get('name')]
    return [{ id, address, name, omemBytes: Number(values.get('omem') ?? 0) }]
  })

/**
 * The connection for everything but MONITOR, one per target: opened when it is first needed, kept, and opened anew by the
 * next call after it broke. Calls fail after 5 s, with the server's or system's own words.
 */
export class ControlConnection implements Disposable {
  readonly #address: ServerAddress
  readonly #clientName: string
  /** What to echo first on each new connection, so that a reader knows it as the daemon's own. */
  greeting: (() => string) | undefined
  #client: Promise<Client> | undefined
  #isClosed = false

  constructor(address: ServerAddress, clientName: string) {
    this.#address = address
    this.#clientName = clientName
  }

  async facts(): Promise<ServerFacts> {
    return readServerFacts(await this.info())
  }

  async clusterNodes(): Promise<string> {
    return String(await this.#send('CLUSTER', 'NODES'))
  }

  /** The target's own clock, in microseconds since 1970. */
  async timeUs(): Promise<number> {
    const reply = await this.#send('TIME')
    const [seconds, micros] = Array.isArray(reply) ? reply.map(Number) : []
    const us = Number(seconds) * 1e6 + Number(micros)
    if (!Number.isSafeInteger(us)) throw new Error('TIME answered something else than two numbers')
    return us
  }

  async echo(text: string): Promise<void> {
    await this.#send('ECHO', text)
  }

  async ping(): Promise<void> {
    await this.#send('PING')
  }

  /** The text of INFO: all sections that come by default. */
  async info(): Promise<string> {
    return String(await this.#send('INFO'))
  }

  /** CLIENT LIST, of one client where the server can say that: from 6.2 on. */
  async clients(id?: string): Promise<ClientEntry[]> {
    const reply = await (id === undefined ? this.#send('CLIENT', 'LIST') : this.#send('CLIENT', 'LIST', 'ID', id))
    return parseClientList(String(reply))
  }

  async kill(id: string): Promise<void> {
    await this.#send('CLIENT', 'KILL', 'ID', id)
  }

  /**
   * Ends the connections that an earlier process of this node left at the target: those whose name begins with `prefix`
   * and is none of `live`, the names in use in this process. Answers how many.
   */
  async killLeftovers(prefix: string, live: ReadonlySet<string>): Promise<number> {
    const clients = await this.clients()
    const left = clients.filter(({ name }) => name.startsWith(prefix) && !live.has(name))
    // One that is gone by now answers an error, which is as good.
    for (const { id } of left) await this.kill(id).catch(() => undefined)
    return left.length
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    const opening = this.#client
    this.#client = undefined
    opening?.then(destroy, () => undefined)
  }

  async #send(...args: string[]): Promise<unknown> {
    const opening = this.#connected()
    const expired = Promise.withResolvers<never>()
    const timer = setTimeout(() => expired.reject(new Error(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
    try {
      const answered = opening.then((client) => client.sendCommand(args))
      return await Promise.race([answered, expired.promise])
    } catch (error) {
      if (!(error instanceof ErrorReply)) {
        // Whatever else is on its way there will not be answered either.
        this.#forget(opening)
        opening.then(destroy, () => undefined)
      }
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  #connected(): Promise<Client> {
    if (this.#isClosed) return Promise.reject(new Error('closed'))
    if (this.#client !== undefined) return this.#client
    const opening: Promise<Client> = this.#open(() => this.#forget(opening))
    opening.catch(() => this.#forget(opening))
    this.#client = opening
    return opening
  }

  #forget(opening: Promise<Client>): void {
    if (this.#client === opening) this.#client = undefined
  }

  async #open(onEnded: () => void): Promise<Client> {
    const client = openClient(this.#address)
    // Without a listener an error would end the process; it reaches the callers through their calls.
    client.on('error', onEnded)
    client.on('end', onEnded)
    let isOpen = false
    const timer = setTimeout(() => destroy(client), TIMEOUT_MS)
    try {
      await client.connect()
      const greeting = this.greeting?.()
      if (greeting !== undefined) await client.sendCommand(['ECHO', greeting]).catch(() => undefined)
      await client.sendCommand(['CLIENT', 'SETNAME', this.#clientName]).catch(() => undefined)
      isOpen = client.isReady && !this.#isClosed
      if (!isOpen) throw new Error('the connection was closed')
      return client
    } finally {
      clearTimeout(timer)
      if (!isOpen) destroy(client)
    }
  }
}

const destroy = (client: Client): void => {
  if (client.isOpen) client.destroy()
}
