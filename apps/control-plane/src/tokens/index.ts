export { tokensRouter } from './router.ts'
export { bindToken, insertToken, revokeNodeTokens, revokeTokenByHash } from './store.ts'
