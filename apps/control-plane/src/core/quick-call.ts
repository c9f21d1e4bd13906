import { getTRPCErrorShape, type TRPCError } from '@trpc/server'
import { WebSocket } from 'ws'
import type { AppRouter } from '../router.ts'
import type { Principal } from './authenticate.ts'
import { observe, type CallContext } from './trpc.ts'

/** A mutation of the router that is called so often that tRPC's way to it would cost as much CPU as the work itself. */
export interface QuickCall {
  path: string
  /** What the procedure does; checks its input itself. */
  run: (call: { ctx: CallContext; principal: Principal; input: unknown }) => Promise<unknown>
}

/** A socket whose messages can be taken before its listeners hear of them. */
export class QuickSocket extends WebSocket {
  /** Answers whether the text message was taken. */
  take: ((data: Buffer) => boolean) | undefined

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const [data, isBinary] = args
    if (event === 'message' && isBinary === false && Buffer.isBuffer(data) && this.take?.(data) === true) return true
    return super.emit(event, ...args)
  }
}

interface QuickMessage {
  id: number
  method: string
  params: { path: string; input?: unknown }
}

/**
 * Answers one procedure on a WebSocket in the words of tRPC, error for error, without the copies of the context that it makes
 * for each step: half of the CPU of a beat. A message of any other form is left to tRPC.
 */
export const takeQuickCall = (options: {
  quick: QuickCall
  appRouter: AppRouter
  ctx: CallContext
  send: (text: string) => void
}): ((data: Buffer) => boolean) => {
  const { quick, appRouter, ctx, send } = options
  const { path } = quick
  const mark = JSON.stringify(path)
  const answer = async ({ id, params: { input } }: QuickMessage): Promise<void> => {
    try {
      const data = await observe({ ctx, path, type: 'mutation' }, (principal) => quick.run({ ctx, principal, input }))
      send(JSON.stringify({ id, result: { type: 'data', data } }))
    } catch (thrown) {
      const { _config: config } = appRouter._def
      const error = getTRPCErrorShape({ config, error: thrown as TRPCError, type: 'mutation', path, input, ctx })
      send(JSON.stringify({ id, error }))
    }
  }
  return (data) => {
    if (!data.includes(mark)) return false
    const message = quickMessageOf(data.toString(), path)
    if (message) void answer(message)
    return message !== undefined
  }
}

const quickMessageOf = (text: string, path: string): QuickMessage | undefined => {
  try {
    const message = JSON.parse(text) as Partial<QuickMessage> | null
    const fits = typeof message?.id === 'number' && message.method === 'mutation' && message.params?.path === path
    return fits ? (message as QuickMessage) : undefined
  } catch {
    return undefined
  }
}
