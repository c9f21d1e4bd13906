import { Worker } from 'node:worker_threads'
import type { ChunkMatches, ScanChunk } from './chunk-scanner.ts'
import { addTallies, emptyTallies, type FacetTallies } from './facet-counts.ts'
import type { FromScanner, ToScanner } from './scan-messages.ts'

const THREADS = 2

interface Waiting {
  resolve: (answer: FromScanner) => void
  reject: (error: Error) => void
}

/** One thread. It holds up the end of the process only while it has work. */
class ScanThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  #error: Error | undefined

  constructor() {
    this.#worker = new Worker(new URL('./scan-worker.ts', import.meta.url), { name: 'sonde-scan', execArgv: [] })
    this.#worker.unref()
    this.#worker.on('message', (answer: FromScanner) => this.#take(answer))
    this.#worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))))
    this.#worker.on('exit', (code) => this.#fail(new Error(`A scan thread ended with code ${code}.`)))
  }

  get hasFailed(): boolean {
    return this.#error !== undefined
  }

  get load(): number {
    return this.#waiting.size
  }

  ask(message: ToScanner): Promise<FromScanner> {
    if (this.#error) return Promise.reject(this.#error)
    const { promise, resolve, reject } = Promise.withResolvers<FromScanner>()
    if (this.#waiting.size === 0) this.#worker.ref()
    this.#waiting.set(message.taskNo, { resolve, reject })
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    this.#worker.postMessage(message)
    return promise
  }

  #take(answer: FromScanner): void {
    const waiting = this.#waiting.get(answer.taskNo)
    this.#waiting.delete(answer.taskNo)
    if (this.#waiting.size === 0) this.#worker.unref()
    if (answer.kind === 'failed') waiting?.reject(new Error(answer.message))
    else waiting?.resolve(answer)
  }

  #fail(error: Error): void {
    this.#error ??= error
    for (const { reject } of this.#waiting.values()) reject(this.#error)
    this.#waiting.clear()
  }
}

let taskNo = 0
let searchNo = 0
const threads: ScanThread[] = []

/** The threads of this process, begun with the first search; one that failed is replaced. */
const liveThreads = (): ScanThread[] => {
  for (let index = 0; index < THREADS; index += 1) {
    if (threads[index] === undefined || threads[index]?.hasFailed === true) threads[index] = new ScanThread()
  }
  return threads
}

/** The scanning of one search, by all threads of the process. */
export class ScanJob {
  readonly #searchNo: number
  readonly #options: { filter: string; countsFacets: boolean }
  readonly #threads = liveThreads().slice()

  constructor(options: { filter: string; countsFacets: boolean }) {
    searchNo += 1
    this.#searchNo = searchNo
    this.#options = options
  }

  /** Scans a batch in the thread that has the least to do: one answer for each chunk. Their bodies are moved to it. */
  async scan(chunks: ScanChunk[]): Promise<ChunkMatches[]> {
    taskNo += 1
    const [thread] = this.#threads.toSorted((a, b) => a.load - b.load)
    const answer = await thread!.ask({ kind: 'scan', taskNo, searchNo: this.#searchNo, ...this.#options, chunks })
    return answer.kind === 'scanned' ? answer.matches : []
  }

  /** Ends the job in every thread, and answers what was counted by value. */
  async end(): Promise<FacetTallies> {
    const all = emptyTallies()
    const answers = await Promise.all(
      this.#threads.map((thread) => {
        taskNo += 1
        return thread.ask({ kind: 'end', taskNo, searchNo: this.#searchNo })
      }),
    )
    for (const answer of answers) if (answer.kind === 'ended') addTallies(all, answer.facets)
    return all
  }
}
