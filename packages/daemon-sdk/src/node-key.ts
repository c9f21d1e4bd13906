import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { PROOF, SondeError } from '@sonde/contracts'
import { SignJWT } from 'jose'
import { createWhole, readIfThere } from './state-dir.ts'

/** What a node proves who it is with, in place of a token that a person made. It can cross threads. */
export interface NodeKey {
  /** The Ed25519 key, PKCS #8. */
  pem: string
  /** Made just now, so that no control plane knows it. */
  isNew: boolean
  /** How a control plane that does not know the key takes it in. `name` is what the enrollment token was made for. */
  enrollment?: { token: string; name: string }
}

const FILE = 'node-key.pem'

/** The key kept in a state directory, if there is one. */
export const loadNodeKey = (dir: string): NodeKey | undefined => {
  const file = join(dir, FILE)
  const pem = readIfThere(file)
  if (pem === undefined) return undefined
  if (isEd25519(pem)) return { pem, isNew: false }
  throw new SondeError('internal.unexpected', {
    cause: new Error(
      `${file} does not hold a node's key. Restore it, or delete the state directory to become a new node.`,
    ),
  })
}

/** The key kept in a state directory, made (0600) at the first call. It never leaves the directory. */
export const loadOrCreateNodeKey = (dir: string): NodeKey => {
  const known = loadNodeKey(dir)
  if (known) return known
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const isNew = createWhole(dir, join(dir, FILE), pem)
  return isNew ? { pem, isNew } : loadOrCreateNodeKey(dir)
}

const isEd25519 = (pem: string): boolean => {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'ed25519'
  } catch {
    return false
  }
}

/** The public half: 32 bytes in base64url. */
export const publicKeyOf = (pem: string): string => createPublicKey(pem).export({ format: 'jwk' }).x ?? ''

/** A proof of the key for one purpose, as {@link PROOF} says; `nowMs` by the wall clock. */
export const signProof = (
  pem: string,
  claims: { purpose: keyof typeof PROOF.audience; nodeId: string; jti: string; nowMs: number },
): Promise<string> => {
  const issued = claims.nowMs / 1000
  return new SignJWT()
    .setProtectedHeader({ alg: PROOF.algorithm })
    .setSubject(claims.nodeId)
    .setAudience(PROOF.audience[claims.purpose])
    .setJti(claims.jti)
    .setIssuedAt(issued)
    .setExpirationTime(issued + PROOF.lifeSeconds)
    .sign(createPrivateKey(pem))
}
