import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { inert } from '../ui/inert.ts'
import { ListState } from '../ui/list-state.tsx'
import { Mark } from '../ui/mark.tsx'
import { Ago } from '../ui/time.tsx'
import { formatCount, shortId } from '../ui/units.ts'
import { useTargets } from './queries.ts'
import { TargetTable } from './target-table.tsx'
import { filterTargets, topologyOf, type ClusterTopology } from './topology.ts'

const TARGETS = '/sessions/$sessionId/targets'
const SLOTS = 16_384
/** Standalone servers that are drawn; the rest is for the filter to find. */
const DRAWN = 500

/** The servers of a session: clusters by shard, then those that stand alone. */
export const TargetsPage = () => {
  const { sessionId } = useParams({ from: TARGETS })
  const search = useSearch({ from: TARGETS })
  const navigate = useNavigate({ from: TARGETS })
  const list = useTargets(sessionId)
  const [text, setText] = useState(search.q ?? '')
  const q = search.q ?? ''
  const all = list.data?.targets ?? []
  const { clusters, standalone } = useMemo(
    () => topologyOf({ clusters: list.data?.clusters ?? [], targets: filterTargets(list.data?.targets ?? [], q) }),
    [list.data, q],
  )
  const unread = all.filter(({ nodeIds }) => nodeIds.length === 0).length
  const held = all.filter(({ heldBy }) => heldBy !== null).length
  const setQ = (next: string) => {
    setText(next)
    void navigate({ search: next.trim() === '' ? {} : { q: next }, replace: true })
  }
  return (
    <>
      <div className="title-row">
        <h1>Targets</h1>
        {list.data && (
          <p className="quiet">
            {formatCount(all.length)} servers, {formatCount(held)} being captured
            {unread === 0 ? '' : ` · ${formatCount(unread)} that no node reads`}
          </p>
        )}
      </div>
      <ListState
        what="targets"
        query={list}
        isEmpty={all.length === 0}
        empty={<p>No node of this session has declared a target yet. See under Fleet how to start a daemon.</p>}
      >
        <div className="filters" role="search" aria-label="Targets">
          <input
            type="search"
            aria-label="Filter by address, role, health, version or node"
            placeholder="address, role, health, version, node"
            value={text}
            onChange={({ target }) => setQ(target.value)}
          />
        </div>
        {clusters.length === 0 && standalone.length === 0 && <p className="state">No target is as asked.</p>}
        {clusters.map((cluster) => (
          <Cluster key={cluster.id} cluster={cluster} isFiltered={q !== ''} sessionId={sessionId} />
        ))}
        {standalone.length > 0 && (
          <section aria-labelledby="standalone">
            <h2 id="standalone">Standalone</h2>
            <TargetTable
              caption="Standalone servers"
              shards={[standalone.slice(0, DRAWN)]}
              sessionId={sessionId}
              hasSlots={false}
            />
            {standalone.length > DRAWN && (
              <p className="quiet">
                The first {formatCount(DRAWN)} of {formatCount(standalone.length)}; filter to see the others.
              </p>
            )}
          </section>
        )}
      </ListState>
    </>
  )
}

interface ClusterProps {
  cluster: ClusterTopology
  isFiltered: boolean
  sessionId: string
}

const Cluster = ({ cluster: { id, discovery, shards, slotCount }, isFiltered, sessionId }: ClusterProps) => (
  <section aria-labelledby={id}>
    <h2 id={id}>
      Cluster <code title={id}>{shortId(id)}</code>
    </h2>
    <p className="facts-line">
      <span className="quiet">{shards.length === 1 ? '1 shard' : `${formatCount(shards.length)} shards`}</span>
      {!isFiltered &&
        (slotCount === SLOTS ? (
          <Mark tone="good" text="all slots served" />
        ) : (
          <Mark tone="bad" text={`${formatCount(SLOTS - slotCount)} slots not served`} />
        ))}
      {discovery && (
        <>
          <Mark
            tone={discovery.ok ? 'good' : 'bad'}
            text={discovery.ok ? 'discovered' : `discovery failed${words(discovery.error)}`}
          />
          <span className="quiet">
            <Ago at={discovery.at} />
          </span>
        </>
      )}
    </p>
    <TargetTable caption={`Cluster ${shortId(id)}, by shard`} shards={shards} sessionId={sessionId} hasSlots />
  </section>
)

const words = (error: string | null): string => (error === null ? '' : `: ${inert(error)}`)
