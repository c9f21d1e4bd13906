import { ERRORS, toSondeError, type Role, type SondeError } from '@sonde/contracts'
import type { Schema } from '@sonde/database'
import { sql, type Kysely } from 'kysely'
import type { Principal } from './authenticate.ts'
import { loop } from './loop.ts'
import type { Resources } from './resources.ts'

/** By what right a stream is open. */
export interface StreamRight {
  /** As last verified. */
  principal: Principal
  sessionId: string
  /** The caller's role when the stream began; null where it depends on none. */
  role: Role | null
  /** All that a fresh call would check, with its refusals; answers who calls now, as a node renews its token. */
  check: () => Promise<Principal>
}

/** A stream that is looked after; dispose it at its end. */
export interface OpenStream extends Disposable {
  /** Aborts with the stream's own signal, and when the right to it has ended. */
  readonly signal: AbortSignal
  /** Throws what a fresh call is refused with, once the right has ended. */
  assertAllowed(): void
}

/** The streams of this replica. A call is checked once; a stream may outlive the token and the membership that it began with. */
export interface OpenStreams {
  open(right: StreamRight, signal: AbortSignal): OpenStream
  /** Ends the streams whose right has ended. Throws when the database cannot be asked; nothing has ended then. */
  look(): Promise<void>
}

/** A verdict on a token is up to 1 s old, so looks half a second apart end a stream within 1.5 s. */
const LOOK_MS = 500

export const createOpenStreams = (db: Kysely<Schema>): OpenStreams => {
  const refusals = new Map<StreamRight, (refusal: SondeError) => void>()
  return {
    open(right, signal) {
      const ended = new AbortController()
      let refused: SondeError | undefined
      refusals.set(right, (refusal) => {
        refused = refusal
        ended.abort(refusal)
      })
      return {
        signal: AbortSignal.any([signal, ended.signal]),
        assertAllowed: () => {
          if (refused) throw refused
        },
        [Symbol.dispose]: () => void refusals.delete(right),
      }
    },
    async look() {
      const rights = [...refusals.keys()]
      if (rights.length === 0) return
      for (const at of await doubtful(db, rights)) {
        const right = rights[at]
        const refusal = right && (await refusalOf(right))
        if (refusal) refusals.get(right)?.(refusal)
      }
    },
  }
}

/**
 * Places of the rights that may have ended, in one statement for all: token gone, revoked or expired, no active membership,
 * or another role than at the beginning. The checks of their own calls have the last word.
 */
const doubtful = async (db: Kysely<Schema>, rights: StreamRight[]): Promise<number[]> => {
  const { rows } = await sql<{ at: number }>`
    select w.at - 1 as at
    from unnest(
      ${rights.map(({ principal }) => principal.tokenId)}::uuid[],
      ${rights.map(({ sessionId }) => sessionId)}::uuid[],
      ${rights.map(({ role }) => role)}::text[]) with ordinality as w (token_id, session_id, role, at)
    left join tokens t on t.id = w.token_id and t.revoked_at is null and t.expires_at > now()
    left join session_memberships m on m.session_id = w.session_id and m.participant_id = t.participant_id
      and m.state = 'active' and m.role = coalesce(w.role, m.role)
    where m.session_id is null`.execute(db)
  return rows.map(({ at }) => at)
}

/** Undefined too when the check could not be made, as while the database is away: the next look tries again. */
const refusalOf = async (right: StreamRight): Promise<SondeError | undefined> => {
  try {
    right.principal = await right.check()
    return undefined
  } catch (thrown) {
    const error = toSondeError(thrown)
    return ERRORS[error.code].http < 500 ? error : undefined
  }
}

/** Looks after the open streams of this replica until it stops. */
export const watchStreams = ({ openStreams, stopping, clock, log }: Resources): Promise<void> =>
  loop({ name: 'streams', intervalMs: LOOK_MS, signal: stopping, clock, log, work: () => openStreams.look() })

/** What `run` yields, for as long as the right to it lasts; then throws what a fresh call is refused with. */
export async function* whileAllowed<T>(
  openStreams: OpenStreams,
  { right, signal }: { right: StreamRight; signal: AbortSignal },
  run: (signal: AbortSignal) => AsyncIterable<T>,
): AsyncGenerator<T> {
  using stream = openStreams.open(right, signal)
  for await (const item of run(stream.signal)) {
    stream.assertAllowed()
    yield item
  }
  stream.assertAllowed()
}
