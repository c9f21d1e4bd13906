import { systemClock } from '@sonde/contracts'
import { mintToken } from '@sonde/database'
import { dbTest } from '@sonde/testing/db-test'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { makePerson } from '../../test/support.ts'
import { createAuthenticate } from './authenticate.ts'

dbTest('tokens that arrive together share a statement, and each gets its own verdict', async ({ database }) => {
  const people = await Promise.all(Array.from({ length: 20 }, () => makePerson(database)))
  const [revoked, expired] = [await makePerson(database), await makePerson(database)]
  await sql`update tokens set revoked_at = now() where participant_id = ${revoked.participantId}`.execute(database.db)
  await sql`update tokens set expires_at = now() where participant_id = ${expired.participantId}`.execute(database.db)
  let statements = 0
  const counted = database.db.withPlugin({
    transformQuery: ({ node }) => {
      statements += 1
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  })
  const authenticate = createAuthenticate(counted, systemClock)
  const verdictOf = (token: string) =>
    authenticate(token).then(
      ({ participantId }) => participantId,
      (error: unknown) => error,
    )
  const all = [...people, revoked, expired].map(({ token }) => token)
  const verdicts = await Promise.all([...all, mintToken('person')].map(verdictOf))
  expect(verdicts.slice(0, 20)).toEqual(people.map(({ participantId }) => participantId))
  expect(verdicts.slice(20)).toMatchObject([
    { code: 'auth.token_invalid' },
    { code: 'auth.token_expired' },
    { code: 'auth.token_invalid' },
  ])
  expect(statements).toBe(1)
})
