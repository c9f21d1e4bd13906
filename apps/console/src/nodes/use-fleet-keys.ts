import { useEffect, useEffectEvent, type RefObject } from 'react'

interface FleetKeys {
  /** By so many rows, down when positive. */
  onMove: (rows: number) => void
  onOpen: () => void
  onClose: () => void
  table: RefObject<HTMLElement | null>
  textField: RefObject<HTMLInputElement | null>
}

const MOVES: Record<string, number> = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 }

/**
 * `j` and `k`, and in the table also the arrows, move the mark; Enter opens, Esc closes, `/` goes to the filter. Keys that somebody
 * types in a field, or that are for a dialog, stay theirs.
 */
export const useFleetKeys = ({ onMove, onOpen, onClose, table, textField }: FleetKeys): void => {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    const { key, target } = event
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return
    const isTyping = target instanceof Element && target.closest('input, select, textarea') !== null
    if (isTyping) {
      if (target === textField.current && (key === 'Enter' || key === 'Escape')) table.current?.focus()
      return
    }
    const isTable = target === table.current
    const isPage = isTable || target === document.body || (target instanceof Element && target.id === 'content')
    const rows = MOVES[key]
    if (key === '/') textField.current?.focus()
    else if (key === 'Escape') onClose()
    else if (key === 'Enter' && isPage) onOpen()
    else if (rows !== undefined && (isPage || key === 'j' || key === 'k')) onMove(rows)
    else return
    event.preventDefault()
  })
  useEffect(() => {
    const listen = (event: KeyboardEvent) => onKey(event)
    window.addEventListener('keydown', listen)
    return () => window.removeEventListener('keydown', listen)
  }, [])
}
