/**
 * What the registry is to do, as plain data: no clock, no SQL, no code of the control plane. Every function answers the
 * expected outcome of a call (`ok` or an error code) and changes the model only when the call is to change something.
 */

export type Who = 'owner' | 'operator' | 'stranger'
export type Where = 'a' | 'b'
export type Health = 'online' | 'degraded'
export type Outcome = 'ok' | `runtimenode.${string}` | `version.${string}` | `session.${string}`

export interface Slot {
  state: 'registering' | 'online' | 'degraded' | 'offline' | 'revoked'
  epoch: number
  instance: number | null
  declared: boolean
  capabilities: Record<string, unknown>
  revision: number
  version: string
  cordoned: boolean
}

export interface Presence {
  session: Where
  epoch: number
  reported: Health
  announced: Health | 'offline'
  /** Seconds since the last beat. */
  age: number
}

export interface Node {
  owner: Who
  epoch: number
  slots: Partial<Record<Where, Slot>>
  presence: Presence
}

export interface Model {
  nodes: Map<string, Node>
  /** Major version; 0 is none. */
  floors: Record<Where, number>
  /** Whether the operator's membership is active; the owner's always is, the stranger has none. */
  members: Record<Where, boolean>
  /** Seconds since the sweep ran, null before the first time; since ages count from its own moment. */
  sinceSweep: number | null
  sinceReady: number
}

export const newModel = (): Model => ({
  nodes: new Map(),
  floors: { a: 0, b: 0 },
  members: { a: true, b: true },
  sinceSweep: null,
  sinceReady: Number.POSITIVE_INFINITY,
})

const isActive = (slot: Slot | undefined): slot is Slot =>
  slot !== undefined && slot.state !== 'offline' && slot.state !== 'revoked'

const isMember = (model: Model, who: Who, where: Where): boolean =>
  who === 'owner' || (who === 'operator' && model.members[where])

/** Where a node is active. */
export const activeIn = (node: Node | undefined): Where | undefined =>
  node && (['a', 'b'] as const).find((where) => isActive(node.slots[where]))

export const isBelow = (model: Model, where: Where, slot: Slot): boolean =>
  Number(slot.version.split('.')[0]) < model.floors[where]

const DENIED = 'runtimenode.permission_denied'

export const attach = (
  model: Model,
  call: { who: Who; id: string; where: Where; instance: number | null; version: string; health: Health },
): Outcome => {
  const { who, id, where, instance, version, health } = call
  const node = model.nodes.get(id)
  if (node && node.owner !== who) return DENIED
  if (!isMember(model, who, where)) return DENIED
  const slot = node?.slots[where]
  if (slot?.state === 'revoked') return 'runtimenode.attach_revoked'
  if (isActive(slot) && instance !== null && slot.instance === instance) return 'ok'
  const active = activeIn(node)
  if (active !== undefined && active !== where) return 'runtimenode.attach_conflict'
  const epoch = (node?.epoch ?? 0) + 1
  const next: Slot = {
    state: 'registering',
    epoch,
    instance,
    declared: false,
    capabilities: {},
    revision: slot ? slot.revision + 1 : 0,
    version,
    cordoned: slot?.cordoned ?? false,
  }
  const presence: Presence = { session: where, epoch, reported: health, announced: health, age: 0 }
  model.nodes.set(id, { owner: who, epoch, slots: { ...node?.slots, [where]: next }, presence })
  return 'ok'
}

export const beat = (
  model: Model,
  call: { who: Who; id: string; epoch: number | undefined; health: Health },
): Outcome => {
  const { who, id, epoch, health } = call
  const node = model.nodes.get(id)
  if (node?.owner !== who) return DENIED
  if (epoch !== undefined && epoch < node.epoch) return 'runtimenode.fenced'
  const where = activeIn(node)
  if (where === undefined || !isMember(model, who, where)) return DENIED
  if (epoch !== undefined && epoch !== node.epoch) return DENIED
  Object.assign(node.presence, { reported: health, announced: health, age: 0 })
  return 'ok'
}

export const update = (
  model: Model,
  call: {
    who: Who
    id: string
    epoch: number | undefined
    capabilities: Record<string, unknown>
    health: Health | undefined
  },
): Outcome => {
  const { who, id, epoch, capabilities, health } = call
  const node = model.nodes.get(id)
  const where = activeIn(node)
  const slot = where && node?.slots[where]
  if (!slot || node?.owner !== who || !isMember(model, who, where)) return DENIED
  if (epoch !== undefined && epoch !== slot.epoch) return 'runtimenode.fenced'
  const sameMap = JSON.stringify(capabilities) === JSON.stringify(slot.capabilities)
  const isDecrease = slot.state === 'online' && health === 'degraded' && sameMap
  if (isBelow(model, where, slot) && !isDecrease) return 'version.floor_exceeded'
  if (health === 'online' && !slot.declared) return 'runtimenode.capabilityupdate_conflict'
  slot.capabilities = capabilities
  slot.revision += 1
  slot.state = health ?? slot.state
  slot.declared ||= Object.keys(capabilities).length > 0
  return 'ok'
}

const endPresence = (node: Node, where: Where): void => {
  if (node.presence.session === where) node.presence.announced = 'offline'
}

export const detach = (model: Model, call: { who: Who; id: string; epoch: number | undefined }): Outcome => {
  const { who, id, epoch } = call
  const node = model.nodes.get(id)
  const where = activeIn(node)
  const slot = where && node?.slots[where]
  if (!node || !slot) return 'ok'
  if (node.owner !== who) return isMember(model, who, where) ? DENIED : 'ok'
  if (epoch !== undefined && epoch !== slot.epoch) return 'ok'
  slot.state = 'offline'
  endPresence(node, where)
  return 'ok'
}

export const revoke = (model: Model, call: { who: Who; id: string; where: Where }): Outcome => {
  const { who, id, where } = call
  const node = model.nodes.get(id)
  const slot = node?.slots[where]
  if (who !== 'owner' || !node || !slot) return DENIED
  if (slot.state === 'revoked') return 'ok'
  slot.state = 'revoked'
  endPresence(node, where)
  return 'ok'
}

export const cordon = (model: Model, call: { who: Who; id: string; where: Where; on: boolean }): Outcome => {
  const { who, id, where, on } = call
  const node = model.nodes.get(id)
  const slot = node?.slots[where]
  if (node?.owner !== who || !isMember(model, who, where) || !slot || slot.state === 'revoked') return DENIED
  slot.cordoned = on
  return 'ok'
}

export const raiseFloor = (model: Model, call: { where: Where; floor: number }): Outcome => {
  if (call.floor <= model.floors[call.where]) return 'session.floor_not_raised'
  model.floors[call.where] = call.floor
  return 'ok'
}

export const elapse = (model: Model, seconds: number): void => {
  for (const { presence } of model.nodes.values()) presence.age += seconds
  model.sinceReady += seconds
  if (model.sinceSweep !== null) model.sinceSweep += seconds
}

/** Age as it counts: not from before the service could hear. */
const heardAge = (model: Model, { age }: Presence): number => Math.min(age, model.sinceReady)

export const sweep = (model: Model): void => {
  if (model.sinceSweep !== null && model.sinceSweep > 30) model.sinceReady = 0
  model.sinceSweep = 0
  for (const { presence } of model.nodes.values()) {
    const age = heardAge(model, presence)
    if (presence.announced === 'offline') continue
    if (age > 60) presence.announced = 'offline'
    else if (age > 30) presence.announced = 'degraded'
  }
}

/** What a reader derives for a slot, whatever is announced. */
export const livenessOf = (model: Model, node: Node, where: Where): Health | 'offline' | null => {
  const { presence, slots } = node
  if (!isActive(slots[where])) return 'offline'
  if (presence.session !== where) return null
  const isDeaf = model.sinceSweep !== null && model.sinceSweep > 30
  const age = isDeaf ? 0 : heardAge(model, presence)
  if (age > 60) return 'offline'
  return age > 30 ? 'degraded' : presence.reported
}
