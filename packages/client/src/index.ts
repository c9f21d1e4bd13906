export {
  callErrorOf,
  createClient,
  isRetryable,
  wireErrorToSondeError,
  type ClientOptions,
  type SondeClient,
} from './client.ts'
