import { Link } from '@tanstack/react-router'
import type { CallError } from '../call-error.ts'
import { shortId } from '../ui/units.ts'

/** The ways to the captures that hold the targets of a refused start; nothing for another error. */
export const HolderLink = ({ error, sessionId }: { error: CallError; sessionId: string }) => {
  const holders = [...new Set(holdersIn(error.details['targets']))]
  if (error.code !== 'capture.target_busy' || holders.length === 0) return null
  return (
    <p>
      Held by{' '}
      {holders.map((captureId) => (
        <Link
          key={captureId}
          to="/sessions/$sessionId/captures/$captureId"
          params={{ sessionId, captureId }}
          className="spaced"
        >
          capture {shortId(captureId)}
        </Link>
      ))}
    </p>
  )
}

const holdersIn = (targets: unknown): string[] =>
  Array.isArray(targets)
    ? targets.flatMap((each: unknown) =>
        each !== null && typeof each === 'object' && 'heldBy' in each && typeof each.heldBy === 'string'
          ? [each.heldBy]
          : [],
      )
    : []
