import type { ReactNode } from 'react'
import { ErrorNotice } from './error-notice.tsx'

interface ListStateProps {
  what: string
  /** Of the query behind the list. */
  query: { isPending: boolean; error: unknown; refetch: () => unknown }
  isEmpty: boolean
  /** What to show instead of an empty list, and what to do about it. */
  empty: ReactNode
  children: ReactNode
}

/** A list in each of its states. A failed refresh keeps what was there, and says that it may be old. */
export const ListState = ({ what, query, isEmpty, empty, children }: ListStateProps) => {
  const retry = () => void query.refetch()
  if (query.isPending) {
    return (
      <p className="state" role="status">
        Loading {what}…
      </p>
    )
  }
  const notice = query.error ? (
    <ErrorNotice error={query.error} what={`${what} could not be read`} retry={retry} />
  ) : null
  if (isEmpty) return notice ?? <div className="state">{empty}</div>
  return (
    <>
      {notice}
      {children}
    </>
  )
}
