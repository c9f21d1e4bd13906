import { mayDo, type RosterNode } from '@sonde/contracts'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useCallback, useDeferredValue, useMemo, useRef, useState } from 'react'
import { useSession } from '../sessions/queries.ts'
import { useTargets } from '../targets/queries.ts'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { ListState } from '../ui/list-state.tsx'
import { formatCount } from '../ui/units.ts'
import { EnrollDialog } from './enroll-dialog.tsx'
import { FleetFilters } from './fleet-filters.tsx'
import { FleetTable } from './fleet-table.tsx'
import { selectNodes, targetsByNode, type FleetColumn, type FleetSearch } from './fleet-view.ts'
import { NodePanel } from './node-panel.tsx'
import { useRoster } from './queries.ts'
import { useFleetKeys } from './use-fleet-keys.ts'

const FLEET = '/sessions/$sessionId/fleet'
/** More nodes are read rarer than every 2 s. */
const LARGE = 1_000

/** The nodes of a session: which of them are there, which take work, and why the others do not. */
export const FleetPage = () => {
  const { sessionId } = useParams({ from: FLEET })
  const search = useSearch({ from: FLEET })
  const navigate = useNavigate({ from: FLEET })
  const roster = useRoster(sessionId, search.ended === true)
  const targetList = useTargets(sessionId)
  const session = useSession(sessionId).data
  const [current, setCurrent] = useState(search.node)
  const [isEnrolling, setEnrolling] = useState(false)
  /** The filter's field begins anew with each. */
  const [round, setRound] = useState(0)
  const table = useRef<HTMLTableElement>(null)
  const textField = useRef<HTMLInputElement>(null)

  const nodes = useMemo(() => uniqueNodes(roster.data?.pages.flatMap((page) => page.nodes) ?? []), [roster.data])
  const targets = useMemo(() => targetsByNode(targetList.data?.targets ?? []), [targetList.data])
  const asked = useDeferredValue(search)
  const shown = useMemo(() => selectNodes({ nodes, targets, search: asked }), [nodes, targets, asked])

  const change = useCallback(
    (changed: { [K in keyof FleetSearch]?: FleetSearch[K] | undefined }) =>
      void navigate({
        search: (before) => withoutAbsent({ ...before, ...changed }),
        replace: true,
      }),
    [navigate],
  )
  const choose = useCallback(
    (nodeId: string) => {
      setCurrent(nodeId)
      change({ node: nodeId })
    },
    [change],
  )
  const sort = (column: FleetColumn) => {
    const isSame = (search.sort ?? 'node') === column
    change({ sort: column, desc: isSame && !search.desc ? true : undefined })
  }
  const close = () => {
    if (search.node === undefined) return
    change({ node: undefined })
    table.current?.focus()
  }
  useFleetKeys({
    onMove: (rows) => {
      const at = shown.findIndex(({ nodeId }) => nodeId === current)
      const next = shown[Math.max(0, Math.min(shown.length - 1, at + rows))]
      if (!next) return
      setCurrent(next.nodeId)
      if (search.node !== undefined) change({ node: next.nodeId })
    },
    onOpen: () => {
      if (current !== undefined) change({ node: current })
    },
    onClose: close,
    table,
    textField,
  })

  const ready = nodes.filter((node) => node.schedulable).length
  const mayEnroll = session !== undefined && mayDo(session.role, 'token.createNode')
  return (
    <div className="fleet-page">
      <div className="title-row">
        <h1>Fleet</h1>
        {roster.data && (
          <p className="quiet" role="status">
            {shown.length === nodes.length ? '' : `${formatCount(shown.length)} of `}
            {formatCount(nodes.length)} nodes{roster.hasNextPage ? ' so far' : ''}, {formatCount(ready)} ready for work
            {session?.minClientVersion ? ` · version floor ${session.minClientVersion}` : ''}
          </p>
        )}
        <button type="button" className="title-action" disabled={!mayEnroll} onClick={() => setEnrolling(true)}>
          Enroll a node
        </button>
        <Link to="/sessions/$sessionId/captures/new" params={{ sessionId }} className="button primary">
          Start a capture
        </Link>
      </div>
      {targetList.error ? (
        <ErrorNotice
          error={targetList.error}
          what="Targets could not be read"
          retry={() => void targetList.refetch()}
        />
      ) : null}
      <ListState
        what="nodes"
        query={roster}
        isEmpty={nodes.length === 0}
        empty={
          <>
            <p>No node is attached to this session.</p>
            <p>
              Enroll one here, or start a daemon beside your servers with a node's token:
              <code className="block">npx sonde token create --kind node --name edge-1</code>
              <code className="block">npx sonde daemon --target redis://127.0.0.1:6379</code>
            </p>
          </>
        }
      >
        <FleetFilters key={round} nodes={nodes} search={search} onChange={change} textField={textField} />
        <div className={search.node === undefined ? 'fleet-body' : 'fleet-body with-panel'}>
          {shown.length === 0 ? (
            <div className="state">
              <p>No node is as asked.</p>
              <button
                type="button"
                onClick={() => {
                  change({ q: undefined, state: undefined, work: undefined })
                  setRound(round + 1)
                }}
              >
                Show all nodes
              </button>
            </div>
          ) : (
            <FleetTable
              sessionId={sessionId}
              nodes={shown}
              targets={targets}
              search={search}
              onSort={sort}
              current={current}
              onChoose={choose}
              isLarge={nodes.length > LARGE}
              table={table}
            />
          )}
          {search.node !== undefined && (
            <NodePanel
              key={search.node}
              sessionId={sessionId}
              nodeId={search.node}
              targets={targets.get(search.node) ?? []}
              floor={session?.minClientVersion ?? null}
              onClose={close}
            />
          )}
        </div>
      </ListState>
      {isEnrolling && <EnrollDialog sessionId={sessionId} onClose={() => setEnrolling(false)} />}
    </div>
  )
}

/** A node that moved between two pages while they were read would be there twice. */
const uniqueNodes = (nodes: RosterNode[]): RosterNode[] => [
  ...new Map(nodes.map((node) => [node.attachmentId, node])).values(),
]

const withoutAbsent = (search: { [K in keyof FleetSearch]?: FleetSearch[K] | undefined }): FleetSearch =>
  Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as FleetSearch
