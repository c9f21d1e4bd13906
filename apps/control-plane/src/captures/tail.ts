import { tracked, type TrackedEnvelope } from '@trpc/server'
import type { TailEvent } from '@sonde/contracts'
export async function* tail(_options: object): AsyncGenerator<TrackedEnvelope<TailEvent>> {
  yield tracked('', { kind: 'lines', cursor: '', rows: [] })
}
