const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d:\d\d)$/i

/**
 * Reads a moment as microseconds since 1970: a whole number of them, or ISO 8601 with a zone and up to six decimals.
 * Null when it is neither, or no moment, such as a 30th of February.
 */
export const readEventTime = (text: string): number | null => {
  if (/^\d{1,16}$/.test(text)) return Number(text) <= Number.MAX_SAFE_INTEGER ? Number(text) : null
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone = ''] = ISO.exec(text) ?? []
  if (year === undefined) return null
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone.toUpperCase()}`)
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  if (Number.isNaN(ms) || Number(day) > lastDay || ms < 0) return null
  return ms * 1000 + Number(fraction.padEnd(6, '0'))
}
