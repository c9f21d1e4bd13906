import { createHash } from 'node:crypto'
import { encodeChunk } from '@sonde/capture-format/chunk'
import { createClient } from '@sonde/client'
import {
  canonicalRules,
  redactionRulesSchema,
  type CommandResult,
  type Counters,
  type DeclaredTarget,
  type DeliveredCommand,
  type UploadResult,
} from '@sonde/contracts'
import { attach, goOnline, newNodeId, type NodeCaller } from './node-support.ts'

/** Counters of a segment that received and recorded as many lines as given. */
export const counted = (lines: number, bytes = lines * 10): Counters => ({
  received: lines,
  recorded: lines,
  filtered: 0,
  sampledOut: 0,
  ownTraffic: 0,
  malformed: 0,
  cut: 0,
  dropped: 0,
  recordedBytes: bytes,
})

/** A standalone server at an address that any host can reach. */
export const standalone = (port: number, fields: Partial<DeclaredTarget> = {}): DeclaredTarget => ({
  kind: 'server',
  host: '192.0.2.1',
  port,
  role: 'primary',
  reachable: true,
  health: 'healthy',
  runId: `run-${port}`,
  ...fields,
})

export interface WireNodeOptions extends NodeCaller {
  token: string
  sessionId: string
  targets: DeclaredTarget[]
  clusters?: { ok: boolean; error?: string }[]
  /** What to answer to a command; undefined leaves it unanswered. @default opened, running, acknowledged */
  answer?: (command: DeliveredCommand) => CommandResult | undefined
}

/** The answer of a node that redacts as the command says. */
export const openedBy = (body: DeliveredCommand['body']): Extract<CommandResult, { kind: 'opened' }> => {
  const rules = redactionRulesSchema.parse('policy' in body ? body.policy : undefined)
  const sha256 = createHash('sha256').update(canonicalRules(rules)).digest('hex')
  const policy = { sha256, keyFingerprint: '0123456789abcdef' }
  return { kind: 'opened', serverVersion: '7.0.15', dialect: 'bracket', role: 'primary', policy }
}

/** Does what it is told. */
export const agree = ({ body }: DeliveredCommand): CommandResult => {
  if (body.kind === 'segment.open') return openedBy(body)
  return body.kind === 'segment.begin' ? { kind: 'running' } : { kind: 'acknowledged' }
}

/** A node that speaks the wire protocol and does only what a test says. */
export const startWireNode = async (options: WireNodeOptions) => {
  const { url, token, sessionId, targets, clusters = [] } = options
  const nodeId = newNodeId()
  const { epoch } = await attach(options, { sessionId, nodeId })
  await goOnline(options, nodeId)
  const client = createClient({ url, token })
  const { targetIds } = await client.rpc.targets.declare.mutate({ nodeId, epoch, targets, clusters })
  const commands: DeliveredCommand[] = []
  const answer = options.answer ?? agree
  const subscription = client.rpc.runtimeNode.commands.subscribe(
    { nodeId, epoch },
    {
      onData: (command) => {
        commands.push(command)
        const result = answer(command)
        const { commandId } = command
        if (result) client.rpc.runtimeNode.answer.mutate({ nodeId, epoch, commandId, result }).catch(() => undefined)
      },
    },
  )
  return {
    nodeId,
    epoch,
    targetIds,
    commands,
    rpc: client.rpc,
    async upload(
      captureId: string,
      segmentNo: number,
      chunks: { seq: number; lines: string[] }[],
      policyRevision = 1,
    ): Promise<UploadResult> {
      const bodies = await Promise.all(
        chunks.map(({ seq, lines }) =>
          encodeChunk({
            captureId,
            segmentNo,
            seq,
            lineCount: lines.length,
            firstEventUs: 1,
            lastEventUs: 2,
            policyRevision,
            dialect: 'bracket',
            lines: Buffer.from(lines.map((line) => `${line}\n`).join('')),
          }),
        ),
      )
      const response = await fetch(`${url}/data/chunks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
        body: Buffer.concat(bodies),
      })
      if (response.status !== 200) throw new Error(await response.text())
      return (await response.json()) as UploadResult
    },
    async [Symbol.asyncDispose]() {
      subscription.unsubscribe()
      await client[Symbol.asyncDispose]()
    },
  }
}

export type WireNode = Awaited<ReturnType<typeof startWireNode>>
