export { createHmacSha256, type KeyedHash } from './hmac-sha256.ts'
export { LineRedactor, type LineRedactorOptions } from './line-redactor.ts'
