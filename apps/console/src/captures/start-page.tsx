import { mayDo } from '@sonde/contracts'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState, type SubmitEvent } from 'react'
import { callErrorOf } from '../call-error.ts'
import { useSession } from '../sessions/queries.ts'
import { useTargets } from '../targets/queries.ts'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { ListState } from '../ui/list-state.tsx'
import { CapsFields } from './caps-fields.tsx'
import { HolderLink } from './holder-link.tsx'
import { useStartCapture } from './queries.ts'
import { EMPTY_FIELDS, readFields, type StartFields, type StartProblems } from './start-input.ts'
import { TargetChoice } from './target-choice.tsx'

/** What to capture, for how long and up to which size. */
export const StartPage = () => {
  const { sessionId } = useParams({ from: '/sessions/$sessionId' })
  const navigate = useNavigate()
  const targets = useTargets(sessionId)
  const role = useSession(sessionId).data?.role
  const start = useStartCapture()
  const [fields, setFields] = useState(EMPTY_FIELDS)
  const [problems, setProblems] = useState<StartProblems>({})
  const change = (changed: Partial<StartFields>) => setFields((before) => ({ ...before, ...changed }))
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const read = readFields(fields, sessionId)
    setProblems(read.problems ?? {})
    if (!read.input) return
    start.mutate(read.input, {
      onSuccess: ({ capture }) =>
        void navigate({
          to: '/sessions/$sessionId/captures/$captureId',
          params: { sessionId, captureId: capture.id },
        }),
    })
  }
  const isAllowed = role === undefined || mayDo(role, 'capture.start')
  const all = targets.data?.targets ?? []
  return (
    <form className="start" onSubmit={submit} noValidate>
      <h1>Start a capture</h1>
      {!isAllowed && (
        <p className="notice notice-warn">
          A viewer cannot start captures. Ask an owner of the session to make you an operator.
        </p>
      )}
      <ListState
        what="targets"
        query={targets}
        isEmpty={all.length === 0}
        empty={<p>No node of this session has declared a target yet. See under Fleet how to start a daemon.</p>}
      >
        <TargetChoice targets={all} fields={fields} problem={problems.targetIds} onChange={change} />
        <CapsFields fields={fields} problems={problems} onChange={change} />
        <p className="quiet">
          MONITOR makes a server format every command for the daemon. On a busy server begin with a few seconds. The
          redaction policy of the session says which values are masked before they leave the daemon's host.
        </p>
        {start.error ? (
          <>
            <ErrorNotice error={start.error} what="The capture was not started" />
            <HolderLink error={callErrorOf(start.error)} sessionId={sessionId} />
          </>
        ) : null}
        <p className="actions">
          <button type="submit" className="primary" disabled={!isAllowed || start.isPending}>
            {start.isPending ? 'Opening MONITOR…' : 'Start'}
          </button>
          {start.isPending && <span className="quiet">Waits up to 5 s for all targets to begin together.</span>}
        </p>
      </ListState>
    </form>
  )
}
