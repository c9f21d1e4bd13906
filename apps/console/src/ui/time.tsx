import { createStore, useStore } from './store.ts'
import { formatAge, formatInstant } from './units.ts'

const now = createStore(Date.now())
setInterval(() => now.set(Date.now()), 1000)

/** The page's clock; it ticks once a second for all. */
export const useNow = (): number => useStore(now)

/** How long ago something was, with the exact time on hover and for screen readers. */
export const Ago = ({ at }: { at: string | null }) => {
  const current = useNow()
  if (at === null) return <span className="quiet">never</span>
  return (
    <time dateTime={at} title={formatInstant(at)}>
      {formatAge(current - new Date(at).getTime())}
    </time>
  )
}
