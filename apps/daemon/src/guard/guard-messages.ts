import type { ServerAddress } from '../server-address.ts'
import type { Impact, ImpactLimits } from './impact.ts'
import type { ImpactSample, Reader } from './watchdog.ts'

export type ToWatchdogs =
  | { kind: 'prepare'; key: number; address: ServerAddress; clientName: string; limits: ImpactLimits }
  | { kind: 'watch'; key: number; reader: Reader }
  | { kind: 'release'; key: number }

export type FromWatchdogs =
  | { kind: 'prepared'; key: number }
  | { kind: 'sample'; key: number; sample: ImpactSample }
  | { kind: 'impact'; key: number; impact: Impact }
