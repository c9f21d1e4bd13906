import type { Capture } from '@sonde/contracts'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import type { LiveConnection } from '../../api.ts'
import { useLive } from '../../live-context.ts'
import { keepCapture, keepSegment } from '../queries.ts'
import { TAIL_BACKLOG } from './tail-backlog.ts'
import { openTail, type Tail, type TailOptions } from './tail-store.ts'

/** Which lines of which capture; a blank filter is all, and so are no segments. */
interface TailAsked {
  captureId: string
  filter: string
  segments: readonly number[]
}

const subscribeTo =
  (live: LiveConnection, { captureId, filter, segments }: TailAsked): TailOptions['open'] =>
  (cursor, handlers) =>
    live.rpc.captures.tail.subscribe(
      {
        id: captureId,
        backlog: TAIL_BACKLOG,
        ...(filter !== '' && { filter }),
        ...(segments.length > 0 && { segments: [...segments] }),
        ...(cursor !== undefined && { cursor }),
      },
      {
        onStarted: () => handlers.onStarted(),
        onData: ({ id, data }) => handlers.onEvent(id, data),
        onError: (error) => handlers.onError(error),
        onConnectionStateChange: ({ state }) => {
          if (state === 'connecting') handlers.onConnecting()
        },
      },
    )

/** Follows the lines that were asked for when the component was first shown, for as long as it is; null until that has begun. */
export const useTail = (first: TailAsked): Tail | null => {
  const [asked] = useState(first)
  const live = useLive()
  const client = useQueryClient()
  const [tail, setTail] = useState<Tail | null>(null)
  useEffect(() => {
    const opened = openTail({
      open: subscribeTo(live, asked),
      onFrame: (flush) => void requestAnimationFrame(flush),
      onSegment: (segment) => keepSegment(client, asked.captureId, segment),
      onEnd: (capture: Capture) => keepCapture(client, capture),
    })
    setTail(opened)
    return () => opened.close()
  }, [live, client, asked])
  return tail
}
