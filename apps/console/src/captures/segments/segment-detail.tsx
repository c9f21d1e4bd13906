import type { Segment } from '@sonde/contracts'
import { slotWords } from '../../targets/target-words.ts'
import { inert } from '../../ui/inert.ts'
import { Ago } from '../../ui/time.tsx'
import { formatCount } from '../../ui/units.ts'
import { reasonWords } from '../capture-words.ts'
import { costWords, gapWords, moveWords } from './gap-words.ts'

/** What a segment went through: why it ended, what is missing, which slots moved, and what it cost the server. */
export const SegmentDetail = ({ segment }: { segment: Segment }) => {
  const { counters, gaps, slotMoves, cost, missing, serverVersion } = segment
  const reason = reasonWords(segment.terminationReason, segment.terminationDetail)
  const costs = costWords(cost)
  const isWhole = gaps.length === 0 && (missing ?? []).length === 0
  return (
    <dl className="pairs segment-detail">
      <dt>Server</dt>
      <dd>
        {serverVersion === null ? 'version unknown' : inert(serverVersion)}, {segment.role}
        {segment.joinedAt !== null && (
          <>
            , joined <Ago at={segment.joinedAt} />
          </>
        )}
      </dd>
      {reason && (
        <>
          <dt>Ended</dt>
          <dd>
            {reason} {segment.endedAt !== null && <Ago at={segment.endedAt} />}
          </dd>
        </>
      )}
      <dt>Lines</dt>
      <dd>
        {formatCount(counters.received)} received: {formatCount(counters.recorded)} recorded,{' '}
        {formatCount(counters.filtered)} filtered out, {formatCount(counters.sampledOut)} not in the sample,{' '}
        {formatCount(counters.ownTraffic)} of the daemon itself, {formatCount(counters.dropped)} dropped. Of the
        recorded {formatCount(counters.malformed)} malformed, {formatCount(counters.cut)} cut
      </dd>
      <dt>Cost</dt>
      <dd>{costs.length === 0 ? 'not measured' : costs.join(', ')}</dd>
      <dt>Missing</dt>
      <dd>
        {isWhole ? (
          'nothing is known to be missing'
        ) : (
          <ul>
            {gaps.map((gap) => (
              <li key={gap.gapNo}>{gapWords(gap)}</li>
            ))}
            {missing?.map(({ fromSeq, toSeq }) => (
              <li key={fromSeq}>
                Chunks {fromSeq} to {toSeq} did not reach the store
              </li>
            ))}
          </ul>
        )}
      </dd>
      {slotMoves.length > 0 && (
        <>
          <dt>Slots moved</dt>
          <dd>
            <ul>
              {slotMoves.map((move) => (
                <li key={`${move.at} ${move.direction} ${slotWords(move.slots)}`}>
                  {moveWords(move)} <Ago at={move.at} />
                </li>
              ))}
            </ul>
          </dd>
        </>
      )}
    </dl>
  )
}
