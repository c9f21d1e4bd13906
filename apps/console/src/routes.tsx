import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router'
import { readCaptureView } from './captures/capture-view.ts'
import { CapturesPage } from './captures/captures-page.tsx'
import { StartPage } from './captures/start-page.tsx'
import { readListSearch } from './captures/list-view.ts'
import { FleetPage } from './nodes/fleet-page.tsx'
import { readFleetSearch } from './nodes/fleet-view.ts'
import { HomePage } from './sessions/home-page.tsx'
import { NotFoundPage } from './shell/not-found-page.tsx'
import { Shell } from './shell/shell.tsx'
import { TargetsPage } from './targets/targets-page.tsx'

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
const fleet = createRoute({
  getParentRoute: () => session,
  path: 'fleet',
  validateSearch: readFleetSearch,
  component: FleetPage,
})
const targets = createRoute({
  getParentRoute: () => session,
  path: 'targets',
  validateSearch: ({ q }: Record<string, unknown>): { q?: string } =>
    typeof q === 'string' || typeof q === 'number' ? { q: String(q).slice(0, 256) } : {},
  component: TargetsPage,
})
const captures = createRoute({
  getParentRoute: () => session,
  path: 'captures',
  validateSearch: readListSearch,
  component: CapturesPage,
})
const newCapture = createRoute({ getParentRoute: () => session, path: 'captures/new', component: StartPage })
const capture = createRoute({
  getParentRoute: () => session,
  path: 'captures/$captureId',
  validateSearch: readCaptureView,
  // The largest page, with the chart and the parser of lines: whoever looks at the fleet need not wait for it.
  component: lazyRouteComponent(() => import('./captures/capture-page.tsx'), 'CapturePage'),
})

/** Every page has an address that can be shared within the installation. */
export const router = createRouter({
  routeTree: root.addChildren([home, session.addChildren([start, fleet, targets, captures, newCapture, capture])]),
  scrollRestoration: false,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
