export { createTargetsRouter } from './router.ts'
export { listClusters, listTargets, primariesOf, readByAny, type TargetFacts } from './store.ts'
