import type { Capture, TailRow } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { openTail, TAIL_ROWS, type TailHandlers } from './tail-store.ts'

const rowsFrom = (first: number, count: number): TailRow[] =>
  Array.from({ length: count }, (_, index) => ({
    segmentNo: 0,
    seq: 0,
    lineNo: first + index,
    eventUs: 1,
    line: `line ${first + index}`,
  }))

/** A tail whose server and frames are the test's. */
const start = () => {
  const opened: { cursor: string | undefined; handlers: TailHandlers; isOpen: boolean }[] = []
  const frames: (() => void)[] = []
  const ends: Capture[] = []
  const tail = openTail({
    open: (cursor, handlers) => {
      const subscription = { cursor, handlers, isOpen: true }
      opened.push(subscription)
      return {
        unsubscribe: () => {
          subscription.isOpen = false
        },
      }
    },
    onFrame: (flush) => frames.push(flush),
    onEnd: (capture) => ends.push(capture),
  })
  const server = () => opened.at(-1)!.handlers
  const lines = (cursor: string, rows: TailRow[]) => server().onEvent(cursor, { kind: 'lines', cursor, rows })
  const frame = () => {
    for (const flush of frames.splice(0)) flush()
    return tail.view.get()
  }
  return { tail, opened, frames, ends, server, lines, frame }
}

test('all that comes between two frames is shown with the next, in order', () => {
  const { tail, server, lines, frame, frames } = start()
  server().onStarted()
  lines('a', rowsFrom(0, 2))
  lines('b', rowsFrom(2, 1))
  expect(tail.view.get().rows).toEqual([])
  expect(frames).toHaveLength(1)
  const view = frame()
  expect(view).toMatchObject({ status: 'streaming', received: 3, trimmed: 0 })
  expect(view.rows.map(({ lineNo }) => lineNo)).toEqual([0, 1, 2])
})

test('the newest rows are kept, and the others are counted', () => {
  const { lines, frame } = start()
  lines('a', rowsFrom(0, TAIL_ROWS))
  expect(frame()).toMatchObject({ received: TAIL_ROWS, trimmed: 0 })
  lines('b', rowsFrom(TAIL_ROWS, 10))
  const view = frame()
  expect(view).toMatchObject({ received: TAIL_ROWS + 10, trimmed: 10 })
  expect(view.rows).toHaveLength(TAIL_ROWS)
  expect([view.rows[0]?.lineNo, view.rows.at(-1)?.lineNo]).toEqual([10, TAIL_ROWS + 9])
})

test('without frames, as in the background, what waits stays bounded', () => {
  const { lines, frame, frames } = start()
  for (let batch = 0; batch < 100; batch += 1) lines(String(batch), rowsFrom(batch * 512, 512))
  expect(frames).toHaveLength(1)
  const view = frame()
  expect(view).toMatchObject({ received: 51_200, trimmed: 51_200 - TAIL_ROWS })
  expect(view.rows.at(-1)?.lineNo).toBe(51_199)
  expect(view.rows.map(({ lineNo }) => lineNo)).toEqual(
    rowsFrom(51_200 - TAIL_ROWS, TAIL_ROWS).map((row) => row.lineNo),
  )
})

test('a pause ends the subscription, and resuming goes on after the last line', () => {
  const { tail, opened, server, lines, frame } = start()
  server().onStarted()
  lines('a', rowsFrom(0, 1))
  tail.pause()
  expect(opened.map(({ isOpen }) => isOpen)).toEqual([false])
  expect(frame()).toMatchObject({ status: 'paused', received: 1 })
  opened[0]!.handlers.onEvent('late', { kind: 'lines', cursor: 'late', rows: rowsFrom(1, 1) })
  opened[0]!.handlers.onError(new Error('late'))
  expect(frame()).toMatchObject({ status: 'paused', received: 1, error: undefined })
  tail.resume()
  expect(opened.map(({ cursor }) => cursor)).toEqual([undefined, 'a'])
  expect(frame().status).toBe('connecting')
  server().onStarted()
  lines('b', rowsFrom(1, 1))
  expect(frame()).toMatchObject({ status: 'streaming', received: 2 })
})

test('an end is final: no later close, failure or resume changes it', () => {
  const { tail, opened, ends, server, frame } = start()
  const capture = { id: 'x' } as Capture
  server().onEvent('a', { kind: 'capture_ended', capture })
  expect(ends).toEqual([capture])
  server().onError(new Error('the socket closed'))
  tail.pause()
  tail.resume()
  expect(frame()).toMatchObject({ status: 'capture_ended', error: undefined })
  tail.close()
  expect(frame().status).toBe('capture_ended')
  expect(opened).toHaveLength(1)
})

test('a failure is told with its code', () => {
  const { server, frame } = start()
  server().onError({ data: { sondeError: { code: 'capture.not_found', message: 'Gone.', requestId: 'r' } } })
  expect(frame()).toMatchObject({ status: 'error', error: { code: 'capture.not_found', message: 'Gone.' } })
})

test('a lost connection shows as connecting until it is back', () => {
  const { server, frame } = start()
  server().onStarted()
  server().onConnecting()
  expect(frame().status).toBe('connecting')
  server().onStarted()
  expect(frame().status).toBe('streaming')
})
