import { captureTailInput, type TailEvent, type TailRow } from '@sonde/contracts'
import { expect } from 'vitest'
import type { z } from 'zod'
import { tail } from '../src/captures/tail.ts'
import { chunkOf, finishCapture, lineAt, seedCapture, seedWorkspace, upload, type DataLane } from './capture-fixture.ts'
import type { PlacedLine, StoredLines } from './read-lines.ts'

export type TailInput = Partial<z.input<typeof captureTailInput>>

export interface Viewer extends AsyncDisposable {
  events: TailEvent[]
  ids: string[]
  /** Resolves at the end of the stream; rejects with its error. */
  done: Promise<void>
  rows(): PlacedLine[]
}

const place = ({ segmentNo, seq, lineNo, line }: TailRow): PlacedLine => ({ segmentNo, seq, lineNo, text: line })

/** Reads a tail as fast as it comes; dispose to go away. */
export const view = (
  lane: DataLane,
  id: string,
  input: TailInput = {},
  unsentBytes: () => number = () => 0,
): Viewer => {
  const gone = new AbortController()
  const events: TailEvent[] = []
  const ids: string[] = []
  const { resources } = lane
  const parsed = captureTailInput.parse({ id, ...input })
  const stream = tail({ resources, capture: { id }, input: parsed, unsentBytes, signal: gone.signal })
  const read = async () => {
    for await (const [eventId, event] of stream) {
      ids.push(eventId)
      events.push(event)
    }
  }
  const done = read()
  done.catch(() => {})
  return {
    events,
    ids,
    done,
    rows: () => events.flatMap((event) => (event.kind === 'lines' ? event.rows.map(place) : [])),
    async [Symbol.asyncDispose]() {
      gone.abort()
      await done.catch(() => {})
    },
  }
}

/** A capture and the token that adds to it. */
export interface Recorded {
  captureId: string
  nodeToken: string
  personToken: string
}

/** Seeds a running capture with these chunks. */
export const record = async (lane: DataLane, stored: StoredLines): Promise<Recorded> => {
  const { db } = lane.resources
  const workspace = await seedWorkspace(db)
  const captureId = await seedCapture(db, workspace, stored.length)
  const { nodeToken, personToken } = workspace
  const recorded = { captureId, nodeToken, personToken }
  await add(lane, recorded, stored)
  return recorded
}

/** Sends chunks in one upload; the numbers of those that are `undefined` stay free. */
export const add = async (lane: DataLane, { captureId, nodeToken }: Recorded, stored: StoredLines): Promise<void> => {
  const chunks: Buffer[] = []
  for (const [segmentNo, list] of stored.entries()) {
    for (const [seq, lines] of list.entries())
      if (lines) chunks.push(await chunkOf({ captureId, segmentNo, seq }, lines))
  }
  const answer = await upload(lane.url, nodeToken, chunks)
  expect(answer.results.map((result) => result.outcome)).toEqual(chunks.map(() => 'stored'))
}

/** Ends a capture and says so. */
export const finish = async (lane: DataLane, captureId: string): Promise<void> => {
  await finishCapture(lane.resources.db, captureId)
  lane.resources.events.publish('captures', captureId)
}

/** Lines with ascending times. */
export const linesOf = (startUs: number, count: number, options: { step?: number; name?: string } = {}): string[] =>
  Array.from({ length: count }, (_, index) =>
    lineAt(startUs + index * (options.step ?? 1000), `${options.name ?? 'k'}${index}`),
  )
