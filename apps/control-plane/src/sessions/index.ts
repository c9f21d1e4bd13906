export { requireAccess } from './access.ts'
export { createSessionsRouter } from './router.ts'
export {
  insertParticipant,
  lockPolicyFloors,
  raisePolicyFloor,
  readAccess,
  readPolicyFloor,
  upsertMember,
} from './store.ts'
