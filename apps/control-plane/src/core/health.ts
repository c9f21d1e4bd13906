import { performance, monitorEventLoopDelay } from 'node:perf_hooks'
import { sql } from 'kysely'
import type { Route } from './http.ts'
import type { Resources } from './resources.ts'

const LAG_LIMIT_MS = 5_000
const DATABASE_LIMIT_MS = 1_000

/** `/livez`, `/readyz` and `/metrics`. Each answer is computed when asked, so readiness returns as well as goes. */
export const healthRoutes = (resources: Resources): Route[] => {
  const delay = monitorEventLoopDelay({ resolution: 50 })
  delay.enable()
  resources.stopping.addEventListener('abort', () => delay.disable())

  const send = (call: Parameters<Route['handle']>[0], status: number, body: object) => {
    call.response.writeHead(status, { 'content-type': 'application/json' })
    call.response.end(JSON.stringify(body))
  }
  return [
    {
      method: 'GET',
      path: /^\/livez$/,
      template: '/livez',
      access: 'public',
      async handle(call) {
        const lagMs = Math.round(delay.max / 1e6)
        delay.reset()
        send(call, lagMs < LAG_LIMIT_MS ? 200 : 503, { live: lagMs < LAG_LIMIT_MS, eventLoopLagMs: lagMs })
      },
    },
    {
      method: 'GET',
      path: /^\/readyz$/,
      template: '/readyz',
      access: 'public',
      async handle(call) {
        const database = await databaseAnswers(resources)
        const draining = resources.stopping.aborted
        const ready = database && !draining
        const wakeUps = resources.events.healthy ? 'listen' : 'polling'
        send(call, ready ? 200 : 503, { ready, database, draining, wakeUps })
      },
    },
    {
      method: 'GET',
      path: /^\/metrics$/,
      template: '/metrics',
      access: 'any',
      async handle({ response }) {
        const { registry } = resources.metrics
        response.writeHead(200, { 'content-type': registry.contentType })
        response.end(await registry.metrics())
      },
    },
  ]
}

const databaseAnswers = async ({ db }: Resources): Promise<boolean> => {
  const started = performance.now()
  const answered = sql`select 1`.execute(db).then(
    () => performance.now() - started < DATABASE_LIMIT_MS,
    () => false,
  )
  const tooLate = new Promise<boolean>((resolve) => setTimeout(resolve, DATABASE_LIMIT_MS, false).unref())
  return Promise.race([answered, tooLate])
}
