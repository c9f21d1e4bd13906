export { createTargetsRouter } from './router.ts'
export { listClusters, listTargets, type TargetFacts } from './store.ts'
