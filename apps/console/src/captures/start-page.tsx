import { mayDo, type CaptureStartInput } from '@sonde/contracts'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useMemo, useState, type SubmitEvent } from 'react'
import { callErrorOf } from '../call-error.ts'
import { useRoster } from '../nodes/queries.ts'
import { useSession } from '../sessions/queries.ts'
import { useTargets } from '../targets/queries.ts'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { ListState } from '../ui/list-state.tsx'
import { CapsFields } from './caps-fields.tsx'
import { HolderLink } from './holder-link.tsx'
import { LongCaptureDialog } from './long-capture-dialog.tsx'
import { PreflightFacts } from './preflight-facts.tsx'
import { prospectsOf, targetsInScope } from './preflight.ts'
import { usePolicy, useStartCapture } from './queries.ts'
import { EMPTY_FIELDS, LONG_MS, readFields, type StartFields, type StartProblems } from './start-input.ts'
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
  const roster = useRoster(sessionId, false)
  const policy = usePolicy(sessionId)
  /** A long capture that waits for a yes. */
  const [asked, setAsked] = useState<CaptureStartInput>()
  const read = readFields(fields, sessionId)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    setProblems(read.problems ?? {})
    if (!read.input) return
    if ((read.input.durationMs ?? 0) > LONG_MS) setAsked(read.input)
    else begin(read.input)
  }
  const begin = (input: CaptureStartInput) => {
    setAsked(undefined)
    start.mutate(input, {
      onSuccess: ({ capture }) =>
        void navigate({
          to: '/sessions/$sessionId/captures/$captureId',
          params: { sessionId, captureId: capture.id },
        }),
    })
  }
  const isAllowed = role === undefined || mayDo(role, 'capture.start')
  const list = targets.data
  const prospects = useMemo(
    () =>
      prospectsOf(targetsInScope(list?.targets ?? [], fields), roster.data?.pages.flatMap((page) => page.nodes) ?? []),
    [list, fields, roster.data],
  )
  return (
    <>
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
          isEmpty={!list || list.targets.length === 0}
          empty={<p>No node of this session has declared a target yet. See under Fleet how to start a daemon.</p>}
        >
          {list && (
            <TargetChoice list={list} fields={fields} prospects={prospects} problems={problems} onChange={change} />
          )}
          <CapsFields fields={fields} problems={problems} onChange={change} />
          {roster.error ? (
            <ErrorNotice
              error={roster.error}
              what="The nodes could not be read, so it is not known who can take part"
              retry={() => void roster.refetch()}
            />
          ) : null}
          <PreflightFacts
            input={read.input}
            require={fields.require}
            prospects={prospects}
            policy={policy.data}
            clusters={list?.clusters ?? []}
          />
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
      {asked && (
        <LongCaptureDialog
          durationMs={asked.durationMs ?? 0}
          prospects={prospects}
          onClose={() => setAsked(undefined)}
          onConfirm={() => begin(asked)}
        />
      )}
    </>
  )
}
