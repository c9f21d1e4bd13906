import type { TargetList } from '@sonde/contracts'
import { addressOf, slotWords } from '../targets/target-words.ts'
import { Mark, SyntheticTag } from '../ui/mark.tsx'
import { shortId } from '../ui/units.ts'
import type { Prospect } from './preflight.ts'
import type { StartFields, StartProblems } from './start-input.ts'

interface TargetChoiceProps {
  list: TargetList
  fields: StartFields
  /** Of the targets that are chosen. */
  prospects: readonly Prospect[]
  problems: StartProblems
  onChange: (changed: Partial<StartFields>) => void
}

/** Which targets a capture is of, and for each whether it can take part now. */
export const TargetChoice = ({ list, fields, prospects, problems, onChange }: TargetChoiceProps) => {
  const chosen = new Map(prospects.map((prospect) => [prospect.target.id, prospect]))
  const ready = prospects.filter(({ willTakePart }) => willTakePart).length
  const problem = problems.targetIds ?? problems.clusterId
  const clusterId = fields.clusterId || (list.clusters[0]?.id ?? '')
  const toggle = (id: string) =>
    onChange({ targetIds: chosen.has(id) ? fields.targetIds.filter((each) => each !== id) : [...fields.targetIds, id] })
  return (
    <fieldset>
      <legend>What</legend>
      <label className="check">
        <input
          type="radio"
          name="scope"
          checked={fields.scope === 'primaries'}
          onChange={() => onChange({ scope: 'primaries' })}
        />{' '}
        All primaries
      </label>
      {list.clusters.length > 0 && (
        <label className="check">
          <input
            type="radio"
            name="scope"
            checked={fields.scope === 'cluster'}
            onChange={() => onChange({ scope: 'cluster', clusterId })}
          />{' '}
          A whole cluster
        </label>
      )}
      <label className="check">
        <input
          type="radio"
          name="scope"
          checked={fields.scope === 'targets'}
          onChange={() => onChange({ scope: 'targets', targetIds: [...chosen.keys()] })}
        />{' '}
        Chosen targets
      </label>
      {fields.scope === 'cluster' && (
        <select aria-label="Cluster" value={clusterId} onChange={({ target }) => onChange({ clusterId: target.value })}>
          {list.clusters.map(({ id }) => (
            <option key={id} value={id}>
              cluster {shortId(id)}
            </option>
          ))}
        </select>
      )}
      <ul className="choice" aria-label="Targets" tabIndex={0}>
        {list.targets.map((target) => {
          const prospect = chosen.get(target.id)
          return (
            <li key={target.id}>
              <label>
                <input
                  type="checkbox"
                  checked={prospect !== undefined}
                  disabled={fields.scope !== 'targets'}
                  onChange={() => toggle(target.id)}
                />{' '}
                <code>{addressOf(target)}</code>
              </label>
              {target.kind === 'synthetic' && <SyntheticTag />}
              <span className="quiet">
                {target.role} {slotWords(target.slots)}
              </span>
              {prospect && <Mark tone={prospect.willTakePart ? 'good' : 'warn'} text={prospect.words} />}
            </li>
          )
        })}
      </ul>
      <p role="status">
        {ready} of {chosen.size} chosen {chosen.size === 1 ? 'target' : 'targets'} can take part now.
      </p>
      {problem && (
        <p className="field-error" role="alert">
          {problem}
        </p>
      )}
    </fieldset>
  )
}
