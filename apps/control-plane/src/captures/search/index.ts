import { SondeError, type CaptureSearch, type captureSearchInput } from '@sonde/contracts'
import type { z } from 'zod'
import type { Resources } from '../../core/resources.ts'
import { requireCapture } from '../access.ts'
import type { CaptureRef } from '../chunk-store.ts'
import { createGate, type Gate } from '../gate.ts'
import { parseFilterText } from '../selection.ts'
import { search } from './search.ts'

/** Searches at once: of one caller, and of the process. Each holds some 10 MB, and the threads are two. */
const OF_CALLER = 2
const OF_PROCESS = 4

interface Limits {
  gate: Gate
  callers: Map<string, number>
}

const limitsOf = new WeakMap<Resources, Limits>()

/**
 * Searches captures for a participant. Throws as {@link requireCapture} does for each of them, `request.invalid` for a filter or
 * cursor that cannot be read, and `search.too_many`.
 */
export const searchCaptures = async (
  resources: Resources,
  participantId: string,
  call: { input: z.infer<typeof captureSearchInput>; signal: AbortSignal },
): Promise<CaptureSearch> => {
  const { ids, filter: filterText, ...input } = call.input
  const { db, readDb, clock, stopping } = resources
  const filter = parseFilterText(filterText)
  const captures: CaptureRef[] = []
  for (const id of [...new Set(ids)].toSorted()) {
    const { partitionDay } = await requireCapture(db, { captureId: id, participantId, action: 'capture.read' })
    captures.push({ id, partitionDay })
  }
  const signal = AbortSignal.any([call.signal, stopping])
  const request = {
    ...input,
    cursor: input.cursor,
    db: readDb,
    clock,
    captures,
    filter,
    filterText: filterText.trim(),
    signal,
  }
  const limits = limitsOf.get(resources) ?? { gate: createGate(OF_PROCESS), callers: new Map<string, number>() }
  limitsOf.set(resources, limits)
  const { gate, callers } = limits
  const running = callers.get(participantId) ?? 0
  if (running >= OF_CALLER) throw new SondeError('search.too_many')
  callers.set(participantId, running + 1)
  try {
    return await gate(() => search(request))
  } finally {
    const left = (callers.get(participantId) ?? 1) - 1
    if (left === 0) callers.delete(participantId)
    else callers.set(participantId, left)
  }
}
