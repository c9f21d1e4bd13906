import type { Route } from '../core/http.ts'
import type { Resources } from '../core/resources.ts'
export const exportRoute = (_resources: Resources): Route => ({
  method: 'GET',
  path: /^\/export$/,
  template: '/export',
  access: 'person',
  handle: async () => {},
})
