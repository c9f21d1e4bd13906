/** 32 random bytes in base64url. Only the SHA-256 is stored. */
export const SIGN_IN_CODE_PATTERN = /^[A-Za-z0-9_-]{43}$/
export const SIGN_IN_CODE_TTL_MS = 10 * 60_000
/** Life of the token that a browser keeps in its cookie. */
export const SIGN_IN_TOKEN_TTL_MS = 12 * 3_600_000
/** The longest body of an exchange. */
export const SIGN_IN_BODY_BYTES = 1024
/** What a page sends with every call that changes something: no form and no foreign page can set a header. */
export const CLIENT_HEADER = 'x-sonde-client'
