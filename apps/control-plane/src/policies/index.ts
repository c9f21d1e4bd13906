export { createPoliciesRouter } from './router.ts'
export { currentPolicy, hashRules } from './store.ts'
