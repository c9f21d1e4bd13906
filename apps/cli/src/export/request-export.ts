import { Readable } from 'node:stream'
import { wireErrorToSondeError } from '@sonde/client'
import {
  EXPORT_FACTS_HEADER,
  exportFactsSchema,
  SondeError,
  type ExportFacts,
  type ExportFormat,
} from '@sonde/contracts'
import { assertReachable } from '../core/connect.ts'
import { loadSettings, type ConnectionFlags } from '../core/settings.ts'

export interface ExportWanted {
  captureId: string
  format: ExportFormat
  filter?: string | undefined
  /** Numbers with commas between. */
  segments?: string | undefined
  /** Compress it on the way. */
  gzip?: boolean
  /** To go on behind what is there. */
  resume?: { cursor: string; offset: number; sha256: string } | undefined
}

export interface ExportAnswer {
  facts: ExportFacts
  body: Readable
}

/** Asks for an export. Throws `control_plane.unreachable`, `auth.token_missing`, what the server refuses it with, and the signal's reason. */
export const requestExport = async (
  wanted: ExportWanted,
  flags: ConnectionFlags,
  signal: AbortSignal,
): Promise<ExportAnswer> => {
  const { url, token } = loadSettings(flags)
  if (token === undefined) throw new SondeError('auth.token_missing')
  const { captureId, format, filter, segments, gzip = false, resume } = wanted
  const query = new URLSearchParams({ format })
  if (filter !== undefined) query.set('filter', filter)
  if (segments !== undefined) query.set('segments', segments)
  for (const [name, value] of Object.entries(resume ?? {})) query.set(name, String(value))
  await assertReachable(url, signal)
  let answer: Response
  try {
    answer = await fetch(`${url}/export/captures/${captureId}?${query.toString()}`, {
      headers: { authorization: `Bearer ${token}`, 'accept-encoding': gzip ? 'gzip' : 'identity' },
      redirect: 'error',
      signal,
    })
  } catch (cause) {
    signal.throwIfAborted()
    throw new SondeError('control_plane.unreachable', { message: `No control plane answers at ${url}.`, cause })
  }
  if (!answer.ok || answer.body === null) {
    const wire: unknown = await answer.json().catch(() => undefined)
    throw wireErrorToSondeError(wire !== null && typeof wire === 'object' && 'error' in wire ? wire.error : undefined)
  }
  return { facts: factsOf(answer), body: Readable.fromWeb(answer.body) }
}

const factsOf = (answer: Response): ExportFacts => {
  try {
    return exportFactsSchema.parse(JSON.parse(answer.headers.get(EXPORT_FACTS_HEADER) ?? ''))
  } catch (cause) {
    throw new SondeError('control_plane.error', {
      message: 'The control plane does not say what it exports: it is of an older version than this program.',
      cause,
    })
  }
}
