import { z } from 'zod'
import { nodeIdSchema, uuidSchema } from './ids.ts'
import { instantSchema, isStorableText } from './text.ts'

/** `synthetic` is the traffic source built into the daemon; it says so wherever it shows. */
export const TargetKind = { server: 'server', synthetic: 'synthetic' } as const
export type TargetKind = (typeof TargetKind)[keyof typeof TargetKind]

export const TargetRole = { primary: 'primary', replica: 'replica' } as const
export type TargetRole = (typeof TargetRole)[keyof typeof TargetRole]

/** `suspect` is the cluster's `fail?`: shown, and still planned. */
export const TargetHealth = { healthy: 'healthy', suspect: 'suspect', unhealthy: 'unhealthy' } as const
export type TargetHealth = (typeof TargetHealth)[keyof typeof TargetHealth]

/** Half-open would save a plus one, but servers print both ends: first and last slot, inclusive. */
export const slotRangeSchema = z.tuple([z.int().min(0).max(16_383), z.int().min(0).max(16_383)])
export type SlotRange = z.infer<typeof slotRangeSchema>
const shortText = z.string().min(1).max(256).refine(isStorableText, 'must not contain NUL or unpaired surrogates')

/** One server as its daemon, or another member of its cluster, sees it. */
export const declaredTargetSchema = z.strictObject({
  kind: z.enum(TargetKind),
  host: shortText,
  port: z.int().min(0).max(65_535),
  role: z.enum(TargetRole),
  /** Whether this node can read it; the other members of a cluster are declared too, so that a plan can name them. */
  reachable: z.boolean(),
  health: z.enum(TargetHealth),
  /** CLUSTER MYID; the identity of a cluster member. */
  clusterNodeId: shortText.optional(),
  /** INFO run_id; the identity of a standalone server. */
  runId: shortText.optional(),
  /** Which of `clusters` it belongs to. */
  cluster: z.int().min(0).optional(),
  /** Shard: the cluster node id of its primary. */
  shard: shortText.optional(),
  slots: z.array(slotRangeSchema).max(16_384).optional(),
  configEpoch: z.int().min(0).optional(),
  serverVersion: shortText.optional(),
})
export type DeclaredTarget = z.infer<typeof declaredTargetSchema>

/** The whole list of what a node can reach; it replaces the list before. */
export const targetsDeclareInput = z.strictObject({
  nodeId: nodeIdSchema,
  epoch: z.int().min(0),
  /** Discovery of each cluster: whether it worked, else the server's words. */
  clusters: z
    .array(
      z.strictObject({
        ok: z.boolean(),
        error: z.string().max(512).refine(isStorableText, 'must not contain NUL or unpaired surrogates').optional(),
      }),
    )
    .max(64)
    .default([]),
  targets: z.array(declaredTargetSchema).max(1024),
})
export type TargetsDeclareInput = z.input<typeof targetsDeclareInput>

/** Ids in the order of the declared list; commands name targets by them. */
export const targetsDeclareResultSchema = z.object({ targetIds: z.array(uuidSchema) })
export type TargetsDeclareResult = z.infer<typeof targetsDeclareResultSchema>

export const targetsListInput = z.strictObject({ sessionId: uuidSchema, clusterId: uuidSchema.optional() })
export const targetSchema = z.object({
  id: uuidSchema,
  kind: z.enum(TargetKind),
  host: z.string(),
  port: z.int(),
  role: z.enum(TargetRole),
  health: z.enum(TargetHealth),
  clusterId: uuidSchema.nullable(),
  shard: z.string().nullable(),
  slots: z.array(slotRangeSchema),
  configEpoch: z.int().nullable(),
  serverVersion: z.string().nullable(),
  lastSeenAt: instantSchema,
  /** Nodes that reach it. */
  nodeIds: z.array(nodeIdSchema),
  /** The running capture that holds it. */
  heldBy: uuidSchema.nullable(),
})
export type Target = z.infer<typeof targetSchema>
export const clusterSchema = z.object({
  id: uuidSchema,
  discovery: z.object({ ok: z.boolean(), at: instantSchema, error: z.string().nullable() }),
})
export const targetsListResultSchema = z.object({ targets: z.array(targetSchema), clusters: z.array(clusterSchema) })
export type TargetList = z.infer<typeof targetsListResultSchema>
