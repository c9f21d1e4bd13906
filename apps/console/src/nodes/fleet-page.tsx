import { Link, useParams } from '@tanstack/react-router'
import { useSession } from '../sessions/queries.ts'
import { useTargets } from '../targets/queries.ts'
import { OrphanTargets } from '../targets/orphan-targets.tsx'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { ListState } from '../ui/list-state.tsx'
import { formatCount } from '../ui/units.ts'
import { NodeGroup } from './node-group.tsx'
import { useRoster } from './queries.ts'

/** The nodes of a session, and the servers that each of them reads. */
export const FleetPage = () => {
  const { sessionId } = useParams({ from: '/sessions/$sessionId' })
  const roster = useRoster(sessionId)
  const targets = useTargets(sessionId)
  const floor = useSession(sessionId).data?.minClientVersion ?? null
  const nodes = roster.data?.pages.flatMap((page) => page.nodes) ?? []
  const all = targets.data?.targets ?? []
  const schedulable = nodes.filter((node) => node.schedulable).length
  const unreached = all.filter((target) => target.nodeIds.length === 0)
  return (
    <>
      <div className="title-row">
        <h1>Fleet</h1>
        {roster.data && (
          <p className="quiet">
            {formatCount(nodes.length)}
            {roster.hasNextPage ? '+' : ''} nodes, {formatCount(schedulable)} ready for work · {formatCount(all.length)}{' '}
            targets{floor === null ? '' : ` · version floor ${floor}`}
          </p>
        )}
        <Link to="/sessions/$sessionId/captures/new" params={{ sessionId }} className="button primary">
          Start a capture
        </Link>
      </div>
      {targets.error ? (
        <ErrorNotice error={targets.error} what="Targets could not be read" retry={() => void targets.refetch()} />
      ) : null}
      <ListState
        what="nodes"
        query={roster}
        isEmpty={nodes.length === 0}
        empty={
          <>
            <p>No node is attached to this session.</p>
            <p>
              Start a daemon beside your servers, with a node's token:
              <code className="block">npx sonde token create --kind node --name edge-1</code>
              <code className="block">npx sonde daemon --target redis://127.0.0.1:6379</code>
            </p>
          </>
        }
      >
        <div className="scroll-x">
          <table className="fleet">
            <caption className="hidden">Nodes, each with the targets that it reads</caption>
            <thead>
              <tr>
                <th scope="col">Node</th>
                <th scope="col">State</th>
                <th scope="col">Liveness</th>
                <th scope="col">New work</th>
                <th scope="col">Version</th>
                <th scope="col">Last beat</th>
              </tr>
            </thead>
            {nodes.map((node, index) => (
              <NodeGroup
                key={node.attachmentId}
                node={node}
                floor={floor}
                targets={all.filter((target) => target.nodeIds.includes(node.nodeId))}
                isLoading={targets.isPending}
                sessionId={sessionId}
                isFirst={index === 0}
              />
            ))}
          </table>
        </div>
        {roster.hasNextPage && (
          <button
            type="button"
            className="plain more"
            disabled={roster.isFetchingNextPage}
            onClick={() => void roster.fetchNextPage()}
          >
            More nodes
          </button>
        )}
        {unreached.length > 0 && <OrphanTargets targets={unreached} sessionId={sessionId} />}
      </ListState>
    </>
  )
}
