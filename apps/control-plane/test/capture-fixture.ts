import { encodeChunk, type EncodeChunkInput } from '@sonde/capture-format/chunk'
import { newId, systemClock, TokenKind, uploadResultSchema, type ChunkResult } from '@sonde/contracts'
import { hashToken, inTransaction, mintToken, openDatabase, type Schema } from '@sonde/database'
import { sql, type Kysely } from 'kysely'
import { pino } from 'pino'
import { captureRoutes } from '../src/captures/index.ts'
import { ensurePartition } from '../src/captures/partition.ts'
import { readConfig } from '../src/config.ts'
import { createAuthenticate } from '../src/core/authenticate.ts'
import { createEvents } from '../src/core/events.ts'
import { createHttpServer, listenOn } from '../src/core/http.ts'
import { createMetrics } from '../src/core/metrics.ts'
import { createOpenStreams } from '../src/core/open-streams.ts'
import type { Resources } from '../src/core/resources.ts'
import { appRouter } from '../src/router.ts'

/** The day whose partition holds the chunks of seeded captures. */
export const DAY = '2026-11-24'

/** The capture routes on a port of their own, without the loops that end captures whose nodes are gone. */
export interface DataLane extends AsyncDisposable {
  readonly url: string
  readonly resources: Resources
  readonly logs: Record<string, unknown>[]
}

export const startDataLane = async (databaseUrl: string, instead?: Kysely<Schema>): Promise<DataLane> => {
  await using starting = new AsyncDisposableStack()
  const config = readConfig({ DATABASE_URL: databaseUrl, SONDE_PORT: '0' })
  const logs: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => logs.push(JSON.parse(line)) })
  const metrics = createMetrics()
  const replicaId = newId()
  const database = starting.use(openDatabase({ url: databaseUrl }))
  const db = instead ?? database.db
  const events = starting.use(createEvents({ db, databaseUrl, replicaId, clock: systemClock, log, metrics }))
  const stopping = new AbortController()
  const resources: Resources = {
    config,
    db,
    beatsDb: db,
    readDb: db,
    clock: systemClock,
    log,
    events,
    openStreams: createOpenStreams(db),
    metrics,
    replicaId,
    stopping: stopping.signal,
  }
  const authenticate = createAuthenticate(db, systemClock)
  const server = createHttpServer({ resources, authenticate, appRouter, routes: captureRoutes(resources) })
  const url = await listenOn(server, '127.0.0.1', 0)
  starting.defer(async () => {
    stopping.abort()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await closed
  })
  const running = starting.move()
  return { url, resources, logs, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

export interface Member {
  participantId: string
  personToken: string
  nodeToken: string
  nodeId: string
}

export interface Workspace extends Member {
  sessionId: string
}

/** A session with an owner who also owns a node. */
export const seedWorkspace = async (db: Kysely<Schema>): Promise<Workspace> => {
  const sessionId = newId()
  const participantId = newId()
  await db.insertInto('participants').values({ id: participantId, name: 'owner' }).execute()
  await db.insertInto('sessions').values({ id: sessionId, name: 'work', created_by: participantId }).execute()
  return { sessionId, ...(await seedMember(db, { sessionId, participantId, role: 'owner' })) }
}

/** A member with a token of each kind and a node. */
export const seedMember = async (
  db: Kysely<Schema>,
  member: { sessionId: string; participantId?: string; role: 'owner' | 'operator' | 'viewer' },
): Promise<Member> => {
  const { sessionId, role } = member
  const participantId = member.participantId ?? newId()
  if (member.participantId === undefined) {
    await db.insertInto('participants').values({ id: participantId, name: role }).execute()
  }
  await db
    .insertInto('session_memberships')
    .values({ session_id: sessionId, participant_id: participantId, role })
    .execute()
  const personToken = await seedToken(db, { kind: TokenKind.person, sessionId, participantId })
  return { participantId, personToken, ...(await seedNode(db, { sessionId, participantId })) }
}

/** A node with its token. */
export const seedNode = async (
  db: Kysely<Schema>,
  owner: { sessionId: string; participantId: string },
): Promise<{ nodeId: string; nodeToken: string }> => {
  const nodeId = `node-${newId().replaceAll('-', '')}`
  await db.insertInto('runtime_nodes').values({ node_id: nodeId, owner_id: owner.participantId }).execute()
  return { nodeId, nodeToken: await seedToken(db, { kind: TokenKind.node, ...owner, nodeId }) }
}

/** A token; that of a node belongs to none until it is named. */
export const seedToken = async (
  db: Kysely<Schema>,
  holder: { kind: TokenKind; sessionId: string; participantId: string; nodeId?: string },
): Promise<string> => {
  const { kind, sessionId: session_id, participantId: participant_id, nodeId: node_id = null } = holder
  const token = mintToken(kind)
  const expires_at = new Date(Date.now() + 3_600_000)
  const row = { id: newId(), kind, sha256: hashToken(token), name: kind, expires_at }
  await db
    .insertInto('tokens')
    .values({ ...row, participant_id, session_id, node_id })
    .execute()
  return token
}

/** A capture with `segments` running segments on targets of their own, all of the workspace's node. */
export const seedCapture = async (db: Kysely<Schema>, workspace: Workspace, segments: number): Promise<string> => {
  const captureId = newId()
  await db
    .insertInto('captures')
    .values({
      id: captureId,
      session_id: workspace.sessionId,
      source: 'manual',
      requested_by: workspace.participantId,
      scope: JSON.stringify({ kind: 'primaries' }),
      require: JSON.stringify('any'),
      duration_limit_ms: 30_000,
      byte_cap: 52_428_800,
      line_cap: 5_000_000,
      partition_day: DAY,
    })
    .execute()
  // After the capture: a day that has one is never dropped.
  await inTransaction(db, (trx) => ensurePartition(trx, DAY))
  for (let segmentNo = 0; segmentNo < segments; segmentNo += 1) {
    const targetId = newId()
    const place = { host: '127.0.0.1', port: 7000 + segmentNo }
    await db
      .insertInto('targets')
      .values({
        id: targetId,
        session_id: workspace.sessionId,
        identity: targetId,
        kind: 'server',
        ...place,
        role: 'primary',
        health: 'healthy',
      })
      .execute()
    await db
      .insertInto('capture_segments')
      .values({
        capture_id: captureId,
        segment_no: segmentNo,
        target_id: targetId,
        target_host: place.host,
        target_port: place.port,
        target_kind: 'server',
        node_id: workspace.nodeId,
        role: 'primary',
        status: 'running',
      })
      .execute()
  }
  return captureId
}

/** Makes a segment final, as its daemon's manifest would. */
export const finishSegment = async (db: Kysely<Schema>, captureId: string, segmentNo: number): Promise<void> => {
  await db
    .updateTable('capture_segments')
    .set({ status: 'completed', outcome: 'completed', storage: 'complete', ended_at: sql`now()` })
    .where('capture_id', '=', captureId)
    .where('segment_no', '=', segmentNo)
    .execute()
}

/** Makes a capture and all its segments final. */
export const finishCapture = async (db: Kysely<Schema>, captureId: string): Promise<void> => {
  await db.transaction().execute(async (trx) => {
    await trx
      .updateTable('capture_segments')
      .set({ status: 'completed', outcome: 'completed', storage: 'complete', ended_at: sql`now()` })
      .where('capture_id', '=', captureId)
      .execute()
    await trx
      .updateTable('captures')
      .set({ status: 'completed', ended_at: sql`now()` })
      .where('id', '=', captureId)
      .execute()
  })
}

/** A line as a server prints it, without its LF. */
export const lineAt = (eventUs: number, key: string): string => {
  const seconds = Math.floor(eventUs / 1e6)
  const micros = String(eventUs % 1e6).padStart(6, '0')
  return `${seconds}.${micros} [0 127.0.0.1:50000] "SET" "${key}" "value"`
}

/** A chunk of these lines; its event times are the earliest and the latest of those that have one. */
export const chunkOf = (
  at: { captureId: string; segmentNo: number; seq: number },
  lines: string[],
  more: Partial<EncodeChunkInput> = {},
): Promise<Buffer> => {
  const times = lines.flatMap((line) => (/^\d/.test(line) ? Math.round(parseFloat(line) * 1e6) : []))
  return encodeChunk({
    ...at,
    lines: Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1'),
    lineCount: lines.length,
    firstEventUs: times.length > 0 ? Math.min(...times) : -1,
    lastEventUs: Math.max(-1, ...times),
    policyRevision: 0,
    dialect: 'bracket',
    ...more,
  })
}

export interface UploadAnswer {
  status: number
  results: ChunkResult[]
  /** Code of the refusal of the whole upload. */
  code: string | undefined
}

/** Sends chunks as a daemon does. */
export const upload = async (url: string, token: string, chunks: Uint8Array[]): Promise<UploadAnswer> => {
  const response = await fetch(`${url}/data/chunks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: Buffer.concat(chunks),
  })
  const body: unknown = await response.json()
  if (response.status === 200) {
    return { status: 200, results: uploadResultSchema.parse(body).results, code: undefined }
  }
  const { error } = body as { error: { code: string } }
  return { status: response.status, results: [], code: error.code }
}

export interface SegmentTotals {
  byteCount: number
  lineCount: number
  chunkCount: number
  firstEventUs: number | null
  lastEventUs: number | null
}

export const totalsOf = (db: Kysely<Schema>, captureId: string, segmentNo: number): Promise<SegmentTotals> =>
  db
    .selectFrom('capture_segments')
    .select(['byte_count as byteCount', 'line_count as lineCount', 'chunk_count as chunkCount'])
    .select(['first_event_us as firstEventUs', 'last_event_us as lastEventUs'])
    .where('capture_id', '=', captureId)
    .where('segment_no', '=', segmentNo)
    .executeTakeFirstOrThrow()
