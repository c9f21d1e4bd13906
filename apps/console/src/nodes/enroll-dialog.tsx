import { enrollCommand, NODE_NAME_PATTERN } from '@sonde/contracts'
import { useId, useState } from 'react'
import { Dialog } from '../ui/dialog.tsx'
import { ErrorNotice } from '../ui/error-notice.tsx'
import { Ago } from '../ui/time.tsx'
import { useEnroll } from './queries.ts'

/** Lets one host join as a new node: asks for its name, then shows the line to run there. */
export const EnrollDialog = ({ sessionId, onClose }: { sessionId: string; onClose: () => void }) => {
  const [name, setName] = useState('')
  const [isAsked, setAsked] = useState(false)
  const [copied, setCopied] = useState<'yes' | 'no'>()
  const enroll = useEnroll()
  const id = useId()
  const isNamed = NODE_NAME_PATTERN.test(name)
  const made = enroll.data
  if (made) {
    const command = enrollCommand(location.origin, made)
    const copy = () =>
      navigator.clipboard.writeText(command).then(
        () => setCopied('yes'),
        () => setCopied('no'),
      )
    return (
      <Dialog key="made" title="Run this on the host" onClose={onClose} onSubmit={onClose}>
        <p>Name the servers that the node is to read in place of the target at its end.</p>
        <code className="block wraps" tabIndex={0} aria-label="The command">
          {command}
        </code>
        <p className="quiet">
          Its token works once, and ends <Ago at={made.expiresAt} />. It is shown only here: who has it can join as this
          node.
        </p>
        <p className="actions">
          <button type="button" onClick={() => void copy()}>
            Copy the command
          </button>
          <button type="submit" className="primary">
            Done
          </button>
          <span role="status">
            {copied === 'yes' && 'Copied.'}
            {copied === 'no' && 'This browser does not let the page copy; select the line instead.'}
          </span>
        </p>
      </Dialog>
    )
  }
  const submit = () => {
    setAsked(true)
    if (isNamed) enroll.mutate({ sessionId, name })
  }
  return (
    <Dialog key="ask" title="Enroll a node" onClose={onClose} onSubmit={submit}>
      <p>This makes a token with which one host can join the session as a new node, once, within 10 minutes.</p>
      <span className="field">
        <label htmlFor={id}>Name of the node</label>
        <input
          id={id}
          value={name}
          placeholder="rack-7"
          autoComplete="off"
          aria-invalid={isAsked && !isNamed}
          onChange={({ target }) => setName(target.value)}
        />
      </span>
      {isAsked && !isNamed && (
        <p className="field-error" role="alert">
          Give it a name of 1 to 64 printable characters.
        </p>
      )}
      {enroll.error ? <ErrorNotice error={enroll.error} what="No token was made" /> : null}
      <p className="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" className="primary" disabled={enroll.isPending}>
          Make the command
        </button>
      </p>
    </Dialog>
  )
}
