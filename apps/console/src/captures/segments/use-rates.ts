import type { Capture } from '@sonde/contracts'
import { useEffect, useState } from 'react'
import { nextRates, type RateSample } from './segment-rates.ts'

/** Lines that each segment receives per second, by number; empty once the capture is over. */
export const useRates = ({ segments, status }: Capture): ReadonlyMap<number, RateSample> => {
  const [rates, setRates] = useState<ReadonlyMap<number, RateSample>>(new Map())
  useEffect(() => {
    if (status === 'running') setRates((before) => nextRates(before, segments, Date.now()))
    else setRates(new Map())
  }, [segments, status])
  return rates
}
