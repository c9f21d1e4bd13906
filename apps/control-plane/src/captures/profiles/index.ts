export { findEarlier } from './earlier-store.ts'
export { makeProfiles, sweepProfiles } from './make-profiles.ts'
export { mergeProfiles } from './read-profiles.ts'
