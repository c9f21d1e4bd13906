export { tokensRouter } from './router.ts'
