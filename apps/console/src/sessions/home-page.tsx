import { Navigate } from '@tanstack/react-router'
import { ListState } from '../ui/list-state.tsx'
import { lastSession } from './last-session.ts'
import { useSessions } from './queries.ts'

/** Goes to the session that was shown last, or to the newest one. */
export const HomePage = () => {
  const sessions = useSessions()
  const listed = sessions.data?.sessions ?? []
  const remembered = lastSession()
  const session = listed.find(({ id }) => id === remembered) ?? listed[0]
  return (
    <ListState
      what="sessions"
      query={sessions}
      isEmpty={!session}
      empty={
        <>
          <p>You are in no session yet.</p>
          <p>
            Ask an owner for a token, or make a session of your own:
            <code className="block">npx sonde session create my-session</code>
          </p>
        </>
      }
    >
      {session && <Navigate to="/sessions/$sessionId/fleet" params={{ sessionId: session.id }} replace />}
    </ListState>
  )
}
