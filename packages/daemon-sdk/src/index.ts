export { aboutMs, fullJitterMs, type BackoffOptions } from './backoff.ts'
export type { SdkLog } from './call.ts'
export type { RuntimeNode, RuntimeNodeEvents, RuntimeNodeOptions } from './node-api.ts'
export { createRuntimeNode } from './runtime-node.ts'
export { MemorySpool, type ChunkId, type Spool, type SpooledChunk } from './spool.ts'
export { loadOrCreateNodeId, openStateDir, type StateDir } from './state-dir.ts'
export {
  INITIAL_STATE,
  transition,
  type StateName,
  type SupervisorAction,
  type SupervisorEvent,
  type SupervisorState,
} from './supervisor.ts'
export type { TargetList } from './target-declaration.ts'
export { createUploader, type Uploader, type UploaderOptions } from './uploader.ts'
