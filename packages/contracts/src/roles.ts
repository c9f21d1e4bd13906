/** What a member may be in a session. */
export const Role = { owner: 'owner', operator: 'operator', viewer: 'viewer' } as const
export type Role = (typeof Role)[keyof typeof Role]

const EVERYONE = [Role.owner, Role.operator, Role.viewer] as const
const WORKERS = [Role.owner, Role.operator] as const
const OWNERS = [Role.owner] as const

/** The one table of who may do what inside a session. */
export const ALLOWED = {
  'session.read': EVERYONE,
  'session.setFloor': OWNERS,
  'session.members': OWNERS,
  'session.archive': OWNERS,
  'policy.read': EVERYONE,
  'policy.set': WORKERS,
  /** To a level that keeps everything. */
  'policy.setNone': OWNERS,
  'token.createPerson': OWNERS,
  'token.createNode': WORKERS,
  'token.list': OWNERS,
  'token.revoke': OWNERS,
  'node.attach': WORKERS,
  'node.roster': EVERYONE,
  'node.revoke': OWNERS,
  'target.read': EVERYONE,
  'capture.start': WORKERS,
  'capture.stop': WORKERS,
  'capture.read': EVERYONE,
  'capture.tail': EVERYONE,
  'capture.export': WORKERS,
  /** Who has exported and tailed captures, and how much. */
  'capture.reads': OWNERS,
  /** Pin it and set its expiry. */
  'capture.retain': WORKERS,
  /** One that they started; owners may delete any. */
  'capture.delete': WORKERS,
  'capture.deleteAny': OWNERS,
} as const satisfies Record<string, readonly Role[]>

/** Something that a role may or may not do. */
export type Action = keyof typeof ALLOWED

/** Whether a role may do something. */
export const mayDo = (role: Role, action: Action): boolean => (ALLOWED[action] as readonly Role[]).includes(role)
