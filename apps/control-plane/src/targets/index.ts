export { createTargetsRouter } from './router.ts'
export { listClusters, listTargets, primariesOf, type TargetFacts } from './store.ts'
