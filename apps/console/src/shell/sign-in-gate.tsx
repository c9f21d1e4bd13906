import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState, type ReactNode } from 'react'
import { openLive, rpc, type LiveConnection } from '../api.ts'
import { isSignedOut } from '../call-error.ts'
import { LiveContext } from '../live-context.ts'
import { SELF_KEY } from '../query-client.ts'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { signIn, takeCodeFromAddress } from './sign-in.ts'
import { SignInPage } from './sign-in-page.tsx'

// Taken before the first drawing: the code works once, and effects may run twice.
const linked = takeCodeFromAddress()
const linkedSignIn = linked === undefined ? Promise.resolve() : signIn(linked)
linkedSignIn.catch(() => undefined)

/** Shows the console to a browser that is signed in, else the sign-in page. */
export const SignInGate = ({ children }: { children: ReactNode }) => {
  const client = useQueryClient()
  const [linkError, setLinkError] = useState<unknown>()
  const self = useQuery({
    queryKey: SELF_KEY,
    staleTime: Infinity,
    queryFn: async () => {
      await linkedSignIn.catch(setLinkError)
      return rpc.tokens.self.query().catch((error: unknown) => {
        if (isSignedOut(error)) return null
        throw error
      })
    },
  })
  if (self.isPending) return <p className="state">Signing in…</p>
  if (self.error) {
    return (
      <main className="sign-in">
        <ErrorNotice
          error={self.error}
          what="The console could not reach its server"
          retry={() => void self.refetch()}
        />
      </main>
    )
  }
  if (self.data === null) {
    const onSignedIn = () => {
      setLinkError(undefined)
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SELF_KEY[0] })
      void self.refetch()
    }
    return <SignInPage linkError={linkError} onSignedIn={onSignedIn} />
  }
  return <Connected>{children}</Connected>
}

const Connected = ({ children }: { children: ReactNode }) => {
  const client = useQueryClient()
  const [live, setLive] = useState<LiveConnection | null>(null)
  useEffect(() => {
    const opened = openLive()
    setLive(opened)
    let wasLost = false
    const stop = opened.state.subscribe(() => {
      // What happened while the connection was lost is read at once, not with the next poll.
      if (wasLost && opened.state.get() === 'live') void client.invalidateQueries()
      wasLost = opened.state.get() === 'lost'
    })
    return () => {
      stop()
      opened.close()
    }
  }, [client])
  return live && <LiveContext value={live}>{children}</LiveContext>
}
