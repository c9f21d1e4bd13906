import { expect, test } from 'vitest'
import { isTailOver, nextTailStatus, type TailSignal, type TailStatus } from './tail-status.ts'

const ended = (status: TailStatus): Record<TailSignal, TailStatus> => ({
  connecting: status,
  started: status,
  pause: status,
  resume: status,
  history_complete: status,
  capture_ended: status,
  failed: status,
  close: status,
})

const TABLE: Record<TailStatus, Record<TailSignal, TailStatus>> = {
  connecting: {
    connecting: 'connecting',
    started: 'streaming',
    pause: 'paused',
    resume: 'connecting',
    history_complete: 'history_complete',
    capture_ended: 'capture_ended',
    failed: 'error',
    close: 'closed',
  },
  streaming: {
    connecting: 'connecting',
    started: 'streaming',
    pause: 'paused',
    resume: 'streaming',
    history_complete: 'history_complete',
    capture_ended: 'capture_ended',
    failed: 'error',
    close: 'closed',
  },
  paused: { ...ended('paused'), resume: 'connecting', close: 'closed' },
  history_complete: ended('history_complete'),
  capture_ended: ended('capture_ended'),
  error: ended('error'),
  closed: ended('closed'),
}

test.each(Object.entries(TABLE))('from %s every signal leads where the table says', (status, row) => {
  for (const [signal, expected] of Object.entries(row)) {
    expect(nextTailStatus(status as TailStatus, signal as TailSignal), signal).toBe(expected)
  }
})

test('four statuses are final', () => {
  expect(Object.keys(TABLE).filter((status) => isTailOver(status as TailStatus))).toEqual([
    'history_complete',
    'capture_ended',
    'error',
    'closed',
  ])
})
