import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { newId, PROOF, type EnrollmentCreated, type NodeCredential, type WireError } from '@sonde/contracts'
import { SignJWT } from 'jose'
import { newNodeId } from './node-support.ts'
import { call, type Person } from './support.ts'

/** A host that may enroll: its node id and key. */
export interface Host {
  nodeId: string
  privateKey: KeyObject
  /** 32 bytes in base64url. */
  publicKey: string
}

export const newHost = (nodeId = newNodeId()): Host => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return { nodeId, privateKey, publicKey: publicKey.export({ format: 'jwk' }).x ?? '' }
}

/** What a proof claims, where it is not what it should. */
export interface Claims {
  audience?: string
  subject?: string
  jti?: string
  atMs?: number
  key?: KeyObject
}

export const proofOf = (host: Host, purpose: keyof typeof PROOF.audience, claims: Claims = {}): Promise<string> => {
  const issued = (claims.atMs ?? Date.now()) / 1000
  return new SignJWT()
    .setProtectedHeader({ alg: PROOF.algorithm })
    .setSubject(claims.subject ?? host.nodeId)
    .setAudience(claims.audience ?? PROOF.audience[purpose])
    .setJti(claims.jti ?? newId())
    .setIssuedAt(issued)
    .setExpirationTime(issued + PROOF.lifeSeconds)
    .sign(claims.key ?? host.privateKey)
}

/** An answer of a route beside the procedures. */
export interface Given {
  status: number
  credential: NodeCredential | undefined
  error: WireError | undefined
}

export const post = async (url: string, path: string, body: unknown): Promise<Given> => {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = (await response.json()) as NodeCredential & { error?: WireError }
  return { status: response.status, credential: response.ok ? answer : undefined, error: answer.error }
}

/** An enrollment token that must be made. */
export const makeEnrollment = async (
  url: string,
  person: Person,
  input: { sessionId: string; name?: string },
): Promise<EnrollmentCreated> => {
  const answer = await call(url, person.token, 'runtimeNode.createEnrollment', { name: 'rack-7', ...input })
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.data as EnrollmentCreated
}

export const jtiOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

export const enroll = async (
  url: string,
  host: Host,
  { token, name = 'rack-7', claims }: { token: string; name?: string; claims?: Claims },
): Promise<Given> => {
  const proof = await proofOf(host, 'enroll', { jti: jtiOf(token), ...claims })
  return post(url, '/node/enroll', { token, nodeId: host.nodeId, name, publicKey: host.publicKey, proof })
}

export const proveKey = async (url: string, host: Host, claims: Claims = {}): Promise<Given> =>
  post(url, '/node/credential', { nodeId: host.nodeId, proof: await proofOf(host, 'credential', claims) })

/** The token of a credential that must have been given. */
export const tokenOf = ({ credential, error }: Given): string => {
  if (!credential) throw new Error(JSON.stringify(error))
  return credential.token
}
