import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useParams } from '@tanstack/react-router'
import { SELF_KEY } from '../query-client.ts'
import { useSession } from '../sessions/queries.ts'
import { SessionSwitcher } from '../sessions/session-switcher.tsx'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { ConnectionMark } from './connection-mark.tsx'
import { signOut } from './sign-in.ts'
import { ThemeSwitch } from './theme-switch.tsx'

/** The frame of every page of a session. */
export const Shell = () => {
  const { sessionId } = useParams({ from: '/sessions/$sessionId' })
  const session = useSession(sessionId)
  const client = useQueryClient()
  const leave = useMutation({
    mutationFn: signOut,
    onSuccess: () => {
      client.setQueryData(SELF_KEY, null)
    },
  })
  return (
    <>
      <a className="skip" href="#content">
        Skip to content
      </a>
      <header className="bar">
        <Link to="/sessions/$sessionId/fleet" params={{ sessionId }} className="brand" aria-label="Sonde: fleet">
          <img src="/icon.svg" alt="" width="22" height="22" /> Sonde
        </Link>
        <SessionSwitcher sessionId={sessionId} />
        <nav aria-label="Pages">
          <Link to="/sessions/$sessionId/fleet" params={{ sessionId }}>
            Fleet
          </Link>
          <Link to="/sessions/$sessionId/targets" params={{ sessionId }}>
            Targets
          </Link>
          <Link to="/sessions/$sessionId/captures" params={{ sessionId }}>
            Captures
          </Link>
        </nav>
        <ConnectionMark />
        <ThemeSwitch />
        <button type="button" className="plain" onClick={() => leave.mutate()} disabled={leave.isPending}>
          Sign out
        </button>
      </header>
      <main id="content" tabIndex={-1}>
        {leave.error ? <ErrorNotice error={leave.error} what="You are still signed in" /> : null}
        {session.error && !session.data ? (
          <ErrorNotice error={session.error} what="The session cannot be shown" retry={() => void session.refetch()} />
        ) : (
          <Outlet />
        )}
      </main>
    </>
  )
}
