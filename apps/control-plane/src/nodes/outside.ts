import type { Db } from './store-reads.ts'

/** A primary that a node reaches, and every node that does. */
export interface ReachedPrimary {
  targetId: string
  host: string
  port: number
  nodeIds: string[]
}

/** What a node still has to do. */
export interface NodeWork {
  /** Segments that run on it or ship their rest. */
  segments: number
  /** Lines that it reported as recorded and that are not stored. */
  unstoredLines: number
}

/** What nodes must know of features that depend on them; given when the router is put together. */
export interface Outside {
  primariesOf: (db: Db, node: { sessionId: string; nodeId: string }) => Promise<ReachedPrimary[]>
  workOf: (db: Db, nodeId: string) => Promise<NodeWork>
}
