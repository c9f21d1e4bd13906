import { useId, useLayoutEffect, useRef, type ReactNode, type SubmitEvent } from 'react'

interface DialogProps {
  title: string
  /** Esc, and the button that does nothing. */
  onClose: () => void
  onSubmit: () => void
  children: ReactNode
}

/** A form over the page. The browser keeps the focus inside, and gives it back to where it was. */
export const Dialog = ({ title, onClose, onSubmit, children }: DialogProps) => {
  const box = useRef<HTMLDialogElement>(null)
  const id = useId()
  useLayoutEffect(() => {
    const element = box.current
    element?.showModal()
    return () => element?.close()
  }, [])
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    onSubmit()
  }
  return (
    <dialog
      ref={box}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
    >
      <form onSubmit={submit} noValidate>
        <h2 id={id}>{title}</h2>
        {children}
      </form>
    </dialog>
  )
}
