import { adviceFor } from '../error-advice.ts'
import { callErrorOf } from '../call-error.ts'
import { inert } from './inert.ts'

interface ErrorNoticeProps {
  error: unknown
  /** What did not work, in words. */
  what: string
  retry?: (() => void) | undefined
}

/** A failure: what, the server's words, its code, what to do, and the id under which its log has the cause. */
export const ErrorNotice = ({ error, what, retry }: ErrorNoticeProps) => {
  const { code, message, requestId } = callErrorOf(error)
  const advice = adviceFor(code)
  return (
    <div className="notice notice-bad" role="alert">
      <p>
        <strong>{what}.</strong> {inert(message)}
      </p>
      {advice && <p>{advice}</p>}
      <p className="quiet">
        <code>{inert(code)}</code>
        {requestId && (
          <>
            {' '}
            · request <code>{inert(requestId)}</code>
          </>
        )}
        {retry && (
          <>
            {' · '}
            <button type="button" className="link" onClick={retry}>
              Try again
            </button>
          </>
        )}
      </p>
    </div>
  )
}
