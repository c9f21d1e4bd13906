import type { Capture } from '@sonde/contracts'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { LiveConnection } from '../../api.ts'
import { useLive } from '../../live-context.ts'
import { keepCapture, keepSegment } from '../queries.ts'
import { openTail, type Tail, type TailOptions } from './tail-store.ts'

const subscribeTo =
  (live: LiveConnection, captureId: string): TailOptions['open'] =>
  (cursor, handlers) =>
    live.rpc.captures.tail.subscribe(
      { id: captureId, ...(cursor !== undefined && { cursor }) },
      {
        onStarted: () => handlers.onStarted(),
        onData: ({ id, data }) => handlers.onEvent(id, data),
        onError: (error) => handlers.onError(error),
        onConnectionStateChange: ({ state }) => {
          if (state === 'connecting') handlers.onConnecting()
        },
      },
    )

/** Follows a capture's lines for as long as the component is shown; null until it has begun. */
export const useTail = (captureId: string): Tail | null => {
  const live = useLive()
  const client = useQueryClient()
  const [tail, setTail] = useState<Tail | null>(null)
  useEffect(() => {
    const opened = openTail({
      open: subscribeTo(live, captureId),
      onFrame: (flush) => void requestAnimationFrame(flush),
      onSegment: (segment) => keepSegment(client, captureId, segment),
      onEnd: (capture: Capture) => keepCapture(client, capture),
    })
    setTail(opened)
    return () => opened.close()
  }, [live, client, captureId])
  return tail
}
