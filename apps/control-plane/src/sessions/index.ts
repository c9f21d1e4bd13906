export { requireAccess } from './access.ts'
export { createSessionsRouter } from './router.ts'
export {
  insertParticipant,
  lockPolicyFloor,
  raisePolicyFloor,
  readAccess,
  readPolicyFloor,
  upsertMember,
} from './store.ts'
