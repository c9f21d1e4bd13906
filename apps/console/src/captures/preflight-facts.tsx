import type { CaptureStartInput, Policy, TargetList } from '@sonde/contracts'
import { inert } from '../ui/inert.ts'
import { formatBytes, formatCount, formatDuration, shortId } from '../ui/units.ts'
import { POLICY_WORDS } from './capture-words.ts'
import { neededCount, type Prospect } from './preflight.ts'
import type { StartFields } from './start-input.ts'

interface PreflightFactsProps {
  /** What would be asked for; undefined while a field is wrong. */
  input: CaptureStartInput | undefined
  require: StartFields['require']
  prospects: readonly Prospect[]
  policy: Policy | undefined
  clusters: TargetList['clusters']
}

/** What a start would do as things stand: whether it begins, when it ends, and what is kept of a line. */
export const PreflightFacts = ({ input, require, prospects, policy, clusters }: PreflightFactsProps) => {
  const ready = prospects.filter(({ willTakePart }) => willTakePart).length
  const needed = neededCount(require, prospects.length)
  const meant = new Set(prospects.map(({ target }) => target.clusterId))
  const unknown = clusters.filter(({ id, discovery }) => meant.has(id) && !discovery.ok)
  return (
    <section aria-label="What will happen">
      {prospects.length > 0 && ready < needed && (
        <p className="notice notice-warn">
          {needed === 1
            ? 'None of the targets can take part'
            : `${needed} targets are needed, and ${ready} can take part`}
          : as things stand the start would be refused.
        </p>
      )}
      {unknown.map(({ id, discovery }) => (
        <p key={id} className="notice notice-warn">
          The last discovery of cluster {shortId(id)} failed, so that its whole cannot be captured:{' '}
          {inert(discovery.error ?? 'no reason was told')}
        </p>
      ))}
      <dl className="pairs">
        <dt>Ends</dt>
        <dd>{input ? capWords(input) : 'see the fields above'}</dd>
        <dt>Redaction</dt>
        <dd>
          {policy
            ? `policy ${policy.rules.level}, revision ${policy.revision}: ${POLICY_WORDS[policy.rules.level]}`
            : 'reading the policy of the session…'}
        </dd>
        <dt>Cost</dt>
        <dd>
          MONITOR makes each server format every command for the daemon. On a busy server begin with a few seconds; the
          capture's page shows what it costs.
        </dd>
      </dl>
    </section>
  )
}

const capWords = ({ durationMs, byteCap, lineCap }: CaptureStartInput): string => {
  const bytes = byteCap === undefined ? "the server's cap of bytes" : formatBytes(byteCap)
  const lines = lineCap === undefined ? 'of lines' : `${formatCount(lineCap)} lines`
  return `after ${formatDuration(durationMs ?? 0)}, or earlier at ${bytes} or ${lines}, over all targets`
}
