import { createRootRoute, createRoute, createRouter, redirect } from '@tanstack/react-router'
import { CapturePage } from './captures/capture-page.tsx'
import { CapturesPage } from './captures/captures-page.tsx'
import { StartPage } from './captures/start-page.tsx'
import { FleetPage } from './nodes/fleet-page.tsx'
import { HomePage } from './sessions/home-page.tsx'
import { NotFoundPage } from './shell/not-found-page.tsx'
import { Shell } from './shell/shell.tsx'

const root = createRootRoute({ notFoundComponent: NotFoundPage })
const home = createRoute({ getParentRoute: () => root, path: '/', component: HomePage })
const session = createRoute({ getParentRoute: () => root, path: '/sessions/$sessionId', component: Shell })
const start = createRoute({
  getParentRoute: () => session,
  path: '/',
  beforeLoad: ({ params }) => {
    throw redirect({ to: '/sessions/$sessionId/fleet', params })
  },
})
const fleet = createRoute({ getParentRoute: () => session, path: 'fleet', component: FleetPage })
const captures = createRoute({ getParentRoute: () => session, path: 'captures', component: CapturesPage })
const newCapture = createRoute({ getParentRoute: () => session, path: 'captures/new', component: StartPage })
const capture = createRoute({ getParentRoute: () => session, path: 'captures/$captureId', component: CapturePage })

/** Every page has an address that can be shared within the installation. */
export const router = createRouter({
  routeTree: root.addChildren([home, session.addChildren([start, fleet, captures, newCapture, capture])]),
  scrollRestoration: false,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
