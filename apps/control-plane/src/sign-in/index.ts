export { signInRouter } from './router.ts'
export { signInRoutes } from './routes.ts'
