export { tokensRouter } from './router.ts'
export { insertToken, revokeTokenByHash } from './store.ts'
