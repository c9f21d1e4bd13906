import { useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { inert } from '../ui/inert.ts'
import { shortId } from '../ui/units.ts'
import { rememberSession } from './last-session.ts'
import { useSession, useSessions } from './queries.ts'

/** Which session is shown, and the way to the others. */
export const SessionSwitcher = ({ sessionId }: { sessionId: string }) => {
  const navigate = useNavigate()
  const sessions = useSessions()
  const shown = useSession(sessionId)
  const { data } = shown
  useEffect(() => {
    if (data) rememberSession(data.id)
  }, [data])
  const listed = sessions.data?.sessions ?? []
  const all = data && !listed.some(({ id }) => id === data.id) ? [data, ...listed] : listed
  const isAmbiguous = (name: string) => all.filter((session) => session.name === name).length > 1
  return (
    <span className="session">
      <label htmlFor="session">Session</label>
      <select
        id="session"
        value={sessionId}
        onChange={({ target }) =>
          void navigate({ to: '/sessions/$sessionId/fleet', params: { sessionId: target.value } })
        }
      >
        {all.every(({ id }) => id !== sessionId) && <option value={sessionId}>…</option>}
        {all.map(({ id, name, state }) => (
          <option key={id} value={id}>
            {inert(name)}
            {isAmbiguous(name) ? ` (${shortId(id)})` : ''}
            {state === 'active' || state === 'provisioning' ? '' : ` (${state})`}
          </option>
        ))}
      </select>
      {data && (
        <span className="quiet" title="Your role in this session">
          {data.role}
        </span>
      )}
    </span>
  )
}
