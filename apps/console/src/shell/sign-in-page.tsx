import { useMutation } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { codeIn, signIn } from './sign-in.ts'

interface SignInPageProps {
  /** Why the link that brought the page here did not work. */
  linkError: unknown
  onSignedIn: () => void
}

/** Takes a one-time link or code, and says where to get one. */
export const SignInPage = ({ linkError, onSignedIn }: SignInPageProps) => {
  const [text, setText] = useState('')
  const [isMalformed, setMalformed] = useState(false)
  const exchange = useMutation({ mutationFn: signIn, onSuccess: onSignedIn })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const code = codeIn(text)
    setMalformed(code === undefined)
    if (code !== undefined) exchange.mutate(code)
  }
  const error = exchange.error ?? linkError
  return (
    <main className="sign-in">
      <h1>
        <img src="/icon.svg" alt="" width="32" height="32" /> Sonde
      </h1>
      {error ? <ErrorNotice error={error} what="You are not signed in" /> : null}
      <form onSubmit={submit}>
        <label htmlFor="code">Sign-in link or code</label>
        <div className="field-row">
          <input
            id="code"
            value={text}
            onChange={(event) => setText(event.target.value)}
            autoComplete="off"
            spellCheck={false}
            autoFocus
            aria-invalid={isMalformed}
            aria-describedby="code-help"
          />
          <button type="submit" className="primary" disabled={exchange.isPending}>
            Sign in
          </button>
        </div>
        {isMalformed && (
          <p className="field-error" role="alert">
            That is no sign-in link or code. A code has 43 letters, digits, - and _.
          </p>
        )}
      </form>
      <p id="code-help">
        Get a link where Sonde's command line is set up:
        <code className="block">npx sonde console</code>
        It works once and within 10 minutes. This browser then stays signed in for 12 hours.
      </p>
    </main>
  )
}
