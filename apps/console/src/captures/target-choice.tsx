import type { Target } from '@sonde/contracts'
import { useMemo } from 'react'
import { addressOf, isPrimaryOfFleet, slotWords } from '../targets/target-words.ts'
import { Mark, SyntheticTag } from '../ui/mark.tsx'
import { shortId } from '../ui/units.ts'
import type { StartFields } from './start-input.ts'

interface TargetChoiceProps {
  targets: Target[]
  fields: StartFields
  problem: string | undefined
  onChange: (changed: Partial<StartFields>) => void
}

/** Which targets a capture is of, and for each whether it can take part now. */
export const TargetChoice = ({ targets, fields, problem, onChange }: TargetChoiceProps) => {
  const primaries = useMemo(() => targets.filter(isPrimaryOfFleet), [targets])
  const isAll = fields.scope === 'primaries'
  const chosen = new Set(isAll ? primaries.map(({ id }) => id) : fields.targetIds)
  const ready = targets.filter((target) => chosen.has(target.id) && obstacleOf(target) === undefined).length
  const toggle = (id: string) =>
    onChange({ targetIds: chosen.has(id) ? fields.targetIds.filter((each) => each !== id) : [...fields.targetIds, id] })
  return (
    <fieldset>
      <legend>What</legend>
      <label className="check">
        <input type="radio" name="scope" checked={isAll} onChange={() => onChange({ scope: 'primaries' })} /> All
        primaries
      </label>
      <label className="check">
        <input
          type="radio"
          name="scope"
          checked={!isAll}
          onChange={() => onChange({ scope: 'targets', targetIds: [...chosen] })}
        />{' '}
        Chosen targets
      </label>
      <ul className="choice" aria-label="Targets" tabIndex={0}>
        {targets.map((target) => {
          const obstacle = obstacleOf(target)
          return (
            <li key={target.id}>
              <label>
                <input
                  type="checkbox"
                  checked={chosen.has(target.id)}
                  disabled={isAll}
                  onChange={() => toggle(target.id)}
                />{' '}
                <code>{addressOf(target)}</code>
              </label>
              {target.kind === 'synthetic' && <SyntheticTag />}
              <span className="quiet">
                {target.role} {slotWords(target.slots)}
              </span>
              {chosen.has(target.id) &&
                (obstacle === undefined ? (
                  <Mark tone="good" text="will take part" />
                ) : (
                  <Mark tone="warn" text={obstacle} />
                ))}
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

/** Why a target will probably not take part; the server decides when the capture starts. */
const obstacleOf = ({ nodeIds, health, heldBy }: Target): string | undefined => {
  if (nodeIds.length === 0) return 'no node reads it'
  if (health === 'unhealthy') return 'unhealthy'
  return heldBy === null ? undefined : `held by capture ${shortId(heldBy)}`
}
