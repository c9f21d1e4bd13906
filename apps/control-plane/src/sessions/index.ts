export { requireAccess, type AccessRequest } from './access.ts'
export { sessionsRouter } from './router.ts'
export { insertParticipant, readAccess, upsertMember, type SessionAccess } from './store.ts'
