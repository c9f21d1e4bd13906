import { z } from 'zod'
import { instantSchema } from './text.ts'

/** A code for the caller's own participant; works once. The console's link is `<url>/#code=<code>`. */
export const signInCodeSchema = z.object({ code: z.string(), expiresAt: instantSchema })
export type SignInCode = z.infer<typeof signInCodeSchema>

/** Body of `POST /sign-in`. */
export const signInInput = z.strictObject({ code: z.string().max(256) })
/** The token itself goes into an HttpOnly cookie, where no script sees it. */
export const signedInSchema = z.object({ expiresAt: instantSchema })
export type SignedIn = z.infer<typeof signedInSchema>
