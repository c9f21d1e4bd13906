import type { NodeDetail, Target } from '@sonde/contracts'
import { useState } from 'react'
import { useSession } from '../sessions/queries.ts'
import { useSelf } from '../shell/use-self.ts'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { inert } from '../ui/inert.ts'
import { ChangeDialog } from './change-dialog.tsx'
import { CHANGE_WORDS, CHANGES, refusalOf, type Change } from './change-words.ts'
import { NodeFacts } from './node-facts.tsx'
import { nodeName } from './node-words.ts'
import { useNode } from './queries.ts'
import { TransitionList } from './transition-list.tsx'

interface NodePanelProps {
  sessionId: string
  nodeId: string
  targets: readonly Target[]
  floor: string | null
  onClose: () => void
}

/** All that is known of one node, and what can be done to it. */
export const NodePanel = ({ sessionId, nodeId, targets, floor, onClose }: NodePanelProps) => {
  const shown = useNode(sessionId, nodeId)
  const node = shown.data
  return (
    <aside className="panel" aria-labelledby="panel-title">
      <div className="panel-head">
        <h2 id="panel-title">{inert(node ? nodeName(node) : nodeId)}</h2>
        <button type="button" className="plain" onClick={onClose} title="Esc">
          Close
        </button>
      </div>
      {shown.error ? (
        <ErrorNotice error={shown.error} what="The node could not be read" retry={() => void shown.refetch()} />
      ) : null}
      {shown.isPending && (
        <p className="state" role="status">
          Loading the node…
        </p>
      )}
      {node && (
        <>
          <Actions node={node} sessionId={sessionId} />
          <NodeFacts node={node} targets={targets} floor={floor} sessionId={sessionId} />
          <TransitionList transitions={node.transitions} />
        </>
      )}
    </aside>
  )
}

const Actions = ({ node, sessionId }: { node: NodeDetail; sessionId: string }) => {
  const role = useSession(sessionId).data?.role
  const self = useSelf()
  const [change, setChange] = useState<Change>()
  const [done, setDone] = useState('')
  if (node.state === 'revoked') return <p className="quiet">It is revoked for good, so nothing can be done to it.</p>
  const isHeld = node.cordonedAt !== null || node.drain !== null
  const isOwn = node.participantId === self?.participantId
  const offered = CHANGES.filter((each) => each !== (isHeld ? 'cordon' : 'uncordon'))
  const refusals = new Set(offered.flatMap((each) => refusalOf({ change: each, role, isOwn }) ?? []))
  const onDone = (words: string) => {
    setChange(undefined)
    setDone(words)
  }
  return (
    <>
      <div className="actions">
        {offered.map((each) => (
          <button
            key={each}
            type="button"
            className={each === 'revoke' ? 'stop' : undefined}
            disabled={refusalOf({ change: each, role, isOwn }) !== undefined}
            onClick={() => setChange(each)}
          >
            {CHANGE_WORDS[each].label}
          </button>
        ))}
      </div>
      {[...refusals].map((words) => (
        <p key={words} className="quiet">
          {words}
        </p>
      ))}
      <p role="status" className="done">
        {done}
      </p>
      {change && (
        <ChangeDialog
          change={change}
          node={node}
          sessionId={sessionId}
          onClose={() => setChange(undefined)}
          onDone={onDone}
        />
      )}
    </>
  )
}
