import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { manifestRoot, splitChunks, verifyChunk } from '@sonde/capture-format/chunk'
import type { SegmentManifest } from '@sonde/contracts'

/** The data lane of a control plane, as much as uploads need: keeps what is sent, verified, or answers nothing. */
export const startStore = async () => {
  const chunks = new Map<string, { seq: number; lines: Buffer; lineCount: number; sha256: Uint8Array }[]>()
  const held: ServerResponse[] = []
  let isSilent = false
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', async () => {
      if (isSilent) return void held.push(response)
      const results = []
      for (const { bytes } of splitChunks(Buffer.concat(parts))) {
        const { header, lines } = await verifyChunk(bytes)
        const { captureId, segmentNo, seq, lineCount, sha256 } = header
        const key = `${captureId}/${segmentNo}`
        chunks.set(key, [...(chunks.get(key) ?? []), { seq, lines, lineCount, sha256 }])
        results.push({ captureId, segmentNo, seq, outcome: 'stored' })
      }
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ results, creditBytes: 2 ** 24 }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const of = (key: string) => (chunks.get(key) ?? []).toSorted((a, b) => a.seq - b.seq)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence: () => (isSilent = true),
    linesOf: (key: string) => Buffer.concat(of(key).map(({ lines }) => lines)).toString('latin1'),
    manifestOf: (key: string): SegmentManifest => ({
      chunks: of(key).length,
      lines: of(key).reduce((sum, { lineCount }) => sum + lineCount, 0),
      bytes: of(key).reduce((sum, { lines }) => sum + lines.length, 0),
      root: manifestRoot(of(key)),
    }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
