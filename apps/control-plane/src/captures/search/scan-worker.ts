import { parentPort } from 'node:worker_threads'
import { ChunkScanner } from './chunk-scanner.ts'
import { emptyTallies } from './facet-counts.ts'
import type { FromScanner, ToScanner } from './scan-messages.ts'

if (parentPort === null) throw new Error('scan-worker.ts runs in a thread')
const port = parentPort

const scanners = new Map<number, ChunkScanner>()

const answer = (message: ToScanner): FromScanner => {
  const { taskNo, searchNo } = message
  const known = scanners.get(searchNo)
  if (message.kind === 'end') {
    scanners.delete(searchNo)
    return { kind: 'ended', taskNo, facets: known?.facets() ?? emptyTallies() }
  }
  const scanner = known ?? new ChunkScanner(message)
  scanners.set(searchNo, scanner)
  return { kind: 'scanned', taskNo, matches: message.chunks.map((chunk) => scanner.scan(chunk)) }
}

port.on('message', (message: ToScanner) => {
  let result: FromScanner
  try {
    result = answer(message)
  } catch (error) {
    result = { kind: 'failed', taskNo: message.taskNo, message: error instanceof Error ? error.message : String(error) }
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
  port.postMessage(result)
})
