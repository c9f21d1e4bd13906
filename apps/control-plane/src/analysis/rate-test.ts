/** What was counted, `error` of it perhaps not there, in so many seconds. */
export interface Sample {
  count: number
  error: number
  seconds: number
}

export interface RateVerdict {
  /** Rate of the first by that of the second, as near to 1 as the errors allow; null where either may be 0. */
  ratio: number | null
  /** How likely rates so far apart, or further, are if both are samples of one; 1 where the errors allow them to be equal. */
  p: number
}

/** Compares two rates: of `n` events in both together, as many as in the first are to be expected by its share of the time. */
export const compareRates = (a: Sample, b: Sample): RateVerdict => {
  const [low, high] = a.count / a.seconds <= b.count / b.seconds ? [a, b] : [b, a]
  const least = high.count - high.error
  const ratio = least / high.seconds / (low.count / low.seconds)
  if (!(ratio > 1)) return { ratio: low.count === 0 ? null : 1, p: 1 }
  const share = high.seconds / (high.seconds + low.seconds)
  const p = Math.min(1, 2 * upperTail(least, least + low.count, share))
  if (low.count === 0) return { ratio: null, p }
  return { ratio: high === a ? ratio : 1 / ratio, p }
}

/** A term of the sum below this share of it ends it: the rest is lost in rounding. */
const NEGLIGIBLE = 1e-16

/** How likely `k` or more of `n` are, each with this probability. From the mean on terms only fall, so few deviations are summed. */
const upperTail = (k: number, n: number, probability: number): number => {
  const first = logChoose(n, k) + k * Math.log(probability) + (n - k) * Math.log1p(-probability)
  const odds = probability / (1 - probability)
  let sum = 1
  let term = 1
  for (let each = k; each < n && term > NEGLIGIBLE * sum; each += 1) {
    term *= ((n - each) / (each + 1)) * odds
    sum += term
  }
  return Math.exp(first) * sum
}

const logChoose = (n: number, k: number): number => logFactorial(n) - logFactorial(k) - logFactorial(n - k)

/** Stirling's series, to 1e-12 from 16 on; a sum below. */
const logFactorial = (n: number): number => {
  if (n < 16) return Array.from({ length: n }, (_, index) => Math.log(index + 1)).reduce((sum, each) => sum + each, 0)
  const series = 1 / (12 * n) - 1 / (360 * n ** 3) + 1 / (1260 * n ** 5)
  return n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + series
}

/**
 * Which of these probabilities are discoveries when no more than this share of all discoveries may be false: the largest below the line
 * of Benjamini and Hochberg, or -1 where none is.
 */
export const discoveryLimit = (probabilities: readonly number[], share: number): number => {
  const sorted = probabilities.toSorted((a, b) => a - b)
  return sorted.findLast((p, index) => p <= ((index + 1) / sorted.length) * share) ?? -1
}
