import type { Target, TargetHealth } from '@sonde/contracts'
import type { Tone } from '../ui/mark.tsx'
import { inert } from '../ui/inert.ts'

/** `host:port`, safe to show; an IPv6 host in brackets, and no port where there is none, as of a synthetic target. */
export const addressOf = ({ host, port }: { host: string; port: number }): string =>
  inert(host.includes(':') ? `[${host}]` : host) + (port === 0 ? '' : `:${port}`)

/** Slot ranges as servers print them; a single slot as one number. */
export const slotWords = (slots: Target['slots']): string =>
  slots.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(' ')

export const HEALTH_TONE: Record<TargetHealth, Tone> = { healthy: 'good', suspect: 'warn', unhealthy: 'bad' }
