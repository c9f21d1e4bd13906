/**
 * Reads CSV by the letter of RFC 4180, every row ended by CRLF: throws at a quote, CR or LF outside of a quoted field, at text behind a closing
 * quote and at a row that does not end.
 */
export const readCsv = (text: string): string[][] => {
  const rows: string[][] = []
  let row: string[] = []
  const field = /"((?:[^"]|"")*)"|([^",\r\n]*)/y
  for (let pos = 0; pos < text.length;) {
    field.lastIndex = pos
    const [whole, quoted, bare] = field.exec(text)!
    row.push(quoted?.replaceAll('""', '"') ?? bare ?? '')
    pos += whole.length
    if (text[pos] === ',') {
      pos += 1
      continue
    }
    if (!text.startsWith('\r\n', pos)) throw new Error(`no comma and no CRLF at character ${pos}`)
    rows.push(row)
    row = []
    pos += 2
  }
  if (row.length > 0) throw new Error('the last row does not end')
  return rows
}
