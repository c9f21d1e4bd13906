import type { ServerResponse } from 'node:http'
import { credentialInput, enrollInput, ENROLLMENT_BODY_BYTES, type NodeCredential } from '@sonde/contracts'
import type { Route } from '../core/http.ts'
import { readJson } from '../core/read-json.ts'
import type { Resources } from '../core/resources.ts'
import { proveKey } from './credential.ts'
import { enroll } from './enrollment.ts'

/** How a node that has no token yet, or none any more, gets one: by an enrollment token and its key, then by its key alone. */
export const nodeRoutes = (resources: Resources): Route[] => [
  {
    method: 'POST',
    path: /^\/node\/enroll$/,
    template: '/node/enroll',
    access: 'public',
    async handle({ request, response }) {
      const input = enrollInput.parse(await readJson(request, ENROLLMENT_BODY_BYTES))
      send(response, await enroll(resources, input))
    },
  },
  {
    method: 'POST',
    path: /^\/node\/credential$/,
    template: '/node/credential',
    access: 'public',
    async handle({ request, response }) {
      const input = credentialInput.parse(await readJson(request, ENROLLMENT_BODY_BYTES))
      send(response, await proveKey(resources, input))
    },
  },
]

const send = (response: ServerResponse, credential: NodeCredential): void => {
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(credential))
}
