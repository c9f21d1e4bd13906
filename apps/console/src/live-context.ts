import { createContext, useContext } from 'react'
import type { LiveConnection } from './api.ts'

/** The WebSocket of the signed-in page. */
export const LiveContext = createContext<LiveConnection | null>(null)

export const useLive = (): LiveConnection => {
  const live = useContext(LiveContext)
  if (!live) throw new Error('useLive is for pages behind the sign-in')
  return live
}
