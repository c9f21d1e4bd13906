import type { RosterNode } from '@sonde/contracts'
import { useId, useState } from 'react'
import { Dialog } from '../ui/dialog.tsx'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { inert } from '../ui/inert.ts'
import { CHANGE_WORDS, type Change } from './change-words.ts'
import { changeNode, EMPTY_CHANGE, minutesProblem, ON_DEADLINE, thenWords, type ChangeFields } from './node-change.ts'
import { nodeName } from './node-words.ts'
import { useNodeChange } from './queries.ts'

interface ChangeDialogProps {
  change: Change
  node: RosterNode
  sessionId: string
  onClose: () => void
  /** With what has happened, in words. */
  onDone: (words: string) => void
}

/** Says what will happen to a node, asks for what is to be known, and does it. */
export const ChangeDialog = ({ change, node, sessionId, onClose, onDone }: ChangeDialogProps) => {
  const [fields, setFields] = useState(EMPTY_CHANGE)
  const act = useNodeChange(changeNode)
  const id = useId()
  const words = CHANGE_WORDS[change]
  const problem = change === 'drain' ? minutesProblem(fields.minutes) : undefined
  const set = (changed: Partial<ChangeFields>) => setFields((before) => ({ ...before, ...changed }))
  const submit = () => {
    if (problem === undefined) act.mutate({ change, sessionId, node, fields }, { onSuccess: onDone })
  }
  return (
    <Dialog title={words.title(inert(nodeName(node)))} onClose={onClose} onSubmit={submit}>
      <p>{words.effect}</p>
      <p className="quiet">
        Node <code>{inert(node.nodeId)}</code>
      </p>
      {change === 'drain' && <DrainFields fields={fields} problem={problem} onChange={set} />}
      {change === 'remove' && (
        <label className="check">
          <input type="checkbox" checked={fields.force} onChange={({ target }) => set({ force: target.checked })} />{' '}
          Also with work on it: captures there end, and lines that are not stored yet are lost
        </label>
      )}
      <span className="field">
        <label htmlFor={id}>Reason, kept with the transition (optional)</label>
        <input
          id={id}
          value={fields.reason}
          maxLength={512}
          autoComplete="off"
          onChange={({ target }) => set({ reason: target.value })}
        />
      </span>
      {act.error ? <ErrorNotice error={act.error} what="Nothing was changed" /> : null}
      <p className="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" className={words.isHarsh ? 'stop' : 'primary'} disabled={act.isPending}>
          {words.confirm}
        </button>
      </p>
    </Dialog>
  )
}

interface DrainFieldsProps {
  fields: ChangeFields
  problem: string | undefined
  onChange: (changed: Partial<ChangeFields>) => void
}

const DrainFields = ({ fields, problem, onChange }: DrainFieldsProps) => {
  const id = useId()
  return (
    <>
      <div className="field-row">
        <span className="field">
          <label htmlFor={`${id}-minutes`}>Minutes until the deadline</label>
          <input
            id={`${id}-minutes`}
            inputMode="numeric"
            size={8}
            value={fields.minutes}
            aria-invalid={problem !== undefined}
            aria-describedby={problem === undefined ? undefined : `${id}-problem`}
            onChange={({ target }) => onChange({ minutes: target.value })}
          />
        </span>
        <span className="field">
          <label htmlFor={`${id}-then`}>At the deadline</label>
          <select
            id={`${id}-then`}
            value={fields.onDeadline}
            onChange={({ target }) => onChange({ onDeadline: target.value === 'wait' ? 'wait' : 'stop' })}
          >
            {ON_DEADLINE.map((each) => (
              <option key={each} value={each}>
                {thenWords(each)}
              </option>
            ))}
          </select>
        </span>
      </div>
      {problem !== undefined && (
        <p className="field-error" id={`${id}-problem`} role="alert">
          {problem}
        </p>
      )}
      <label className="check">
        <input type="checkbox" checked={fields.force} onChange={({ target }) => onChange({ force: target.checked })} />{' '}
        Also when no other node that takes work reaches one of its primaries
      </label>
    </>
  )
}
