import { useEffect, useRef, type ReactNode } from 'react'

interface MenuProps {
  label: string
  /** Without a border, beside other controls of a bar. */
  isPlain?: boolean
  /** Given what closes it. */
  children: (close: () => void) => ReactNode
}

/** A box that unfolds under its button. Esc and what is done elsewhere close it. */
export const Menu = ({ label, isPlain = false, children }: MenuProps) => {
  const box = useRef<HTMLDetailsElement>(null)
  const close = () => {
    if (box.current) box.current.open = false
  }
  useEffect(() => {
    const onElsewhere = ({ target }: Event) => {
      if (target instanceof Node && !box.current?.contains(target)) close()
    }
    document.addEventListener('pointerdown', onElsewhere)
    document.addEventListener('focusin', onElsewhere)
    return () => {
      document.removeEventListener('pointerdown', onElsewhere)
      document.removeEventListener('focusin', onElsewhere)
    }
  }, [])
  return (
    <details
      ref={box}
      className="menu"
      onKeyDown={({ key }) => {
        if (key !== 'Escape') return
        close()
        box.current?.querySelector('summary')?.focus()
      }}
    >
      <summary className={isPlain ? 'button plain' : 'button'}>{label}</summary>
      <div className="menu-box">{children(close)}</div>
    </details>
  )
}
