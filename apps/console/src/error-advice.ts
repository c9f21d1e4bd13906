import type { ErrorCode } from '@sonde/contracts'

/** What to do in the console, where the server's own words do not say it. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  'auth.role_required': 'Ask an owner of the session to do it, or to change your role.',
  'auth.origin_refused': 'Open the console under the address that the server is reached by.',
  'database.unavailable': 'Nothing is lost: daemons keep what is not stored yet. This page tries again by itself.',
  'database.disk_full': 'Free space on the database host. Daemons keep their lines until then, or say what they lost.',
  'server.draining': 'Another replica, or the restarted server, will answer in a moment.',
  'runtimenode.permission_denied': 'The node is not yours, is gone, or your role does not allow it.',
  'node.not_drained': 'Drain it and wait until it has detached, or tick the box to remove it all the same.',
  'node.last_of_primary': 'Bring up another node for these primaries, or tick the box to drain it all the same.',
  'session.not_active': 'Choose another session above.',
  'capture.target_busy': 'Open the capture that holds the target to stop it, or wait for its end.',
  'capture.plan_empty': 'Check under Fleet that a node is online and reads a primary, or choose targets by hand.',
  'capture.discovery_failed': 'Try again in a few seconds, or choose the targets by hand.',
  'capture.monitor_open_failed': 'Check that the server allows MONITOR for the daemon, and that it can be reached.',
  'fanout.quorum_not_met': 'Allow a smaller part under "Needed", or see under Fleet why nodes cannot take part.',
  'control_plane.unreachable': 'The page tries again by itself. If this stays, check that the server runs.',
  'internal.unexpected': "The server's log has the cause under this request id.",
}

/** Advice by code; undefined where the message says it all. */
export const adviceFor = (code: string): string | undefined => (ADVICE as Record<string, string | undefined>)[code]
