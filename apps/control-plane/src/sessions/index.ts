export { requireAccess } from './access.ts'
export { sessionsRouter } from './router.ts'
export { insertParticipant, readAccess, upsertMember } from './store.ts'
