import { z } from 'zod'

/** Whether a text can be stored by Postgres and sent as UTF-8: no NUL, no lone surrogate. */
export const isStorableText = (text: string): boolean => text.isWellFormed() && !text.includes('\0')

/** A text that people type: trimmed length 1..max, storable, at least one non-blank character. */
export const humanText = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine(isStorableText, 'must not contain NUL or unpaired surrogates')
    .refine((text) => text.trim().length > 0, 'must have a non-blank character')

/** An instant on the wire: ISO 8601 with offset. */
export const instantSchema = z.iso.datetime({ offset: true })
