import { SondeError } from '@sonde/contracts'
import { IMPACT_DEFAULTS, type ImpactLimits } from './impact.ts'

/** The limits of this host: the defaults, changed by `SONDE_MAX_OMEM_BYTES`, `SONDE_MAX_LAG_MS` and `SONDE_MAX_CPU_SHARE`. Throws `request.invalid`. */
export const readImpactLimits = (environment: NodeJS.ProcessEnv): ImpactLimits => ({
  ...IMPACT_DEFAULTS,
  omemBytes:
    readNumber(environment, 'SONDE_MAX_OMEM_BYTES', { min: 65_536, max: 2 ** 40 }) ?? IMPACT_DEFAULTS.omemBytes,
  lagMs: readNumber(environment, 'SONDE_MAX_LAG_MS', { min: 100, max: 600_000 }) ?? IMPACT_DEFAULTS.lagMs,
  cpuShare: readNumber(environment, 'SONDE_MAX_CPU_SHARE', { min: 0.01, max: 1 }) ?? IMPACT_DEFAULTS.cpuShare,
})

const readNumber = (
  environment: NodeJS.ProcessEnv,
  name: string,
  { min, max }: { min: number; max: number },
): number | undefined => {
  const text = environment[name]
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (value >= min && value <= max) return value
  throw new SondeError('request.invalid', { message: `${name}: must be a number from ${min} to ${max}` })
}
