import { expect } from 'vitest'
import { createTestDatabase, dbTest } from './db-test.ts'
import { isAlive } from './process-identity.ts'
import { startControlPlane } from './server.ts'

const livez = async (url: string): Promise<number> => (await fetch(new URL('/livez', url))).status

dbTest(
  'the real program answers, comes back on its port after a kill, and is gone after its disposal',
  async ({ databaseUrl }) => {
    const pids: number[] = []
    {
      await using server = await startControlPlane({ databaseUrl })
      const { url } = server
      expect(await livez(url)).toBe(200)
      pids.push(server.pid)
      await server.kill()
      await expect(fetch(url)).rejects.toThrow()
      await server.restart()
      pids.push(server.pid)
      expect(server.url).toBe(url)
      expect(await livez(url)).toBe(200)
      expect(server.logs.length).toBeGreaterThan(0)
    }
    expect(new Set(pids).size).toBe(2)
    expect(pids.filter(isAlive)).toEqual([])
  },
)

dbTest('a program that ends at once is reported with its last output', async () => {
  await using empty = await createTestDatabase({ empty: true })
  await expect(startControlPlane({ databaseUrl: empty.url })).rejects.toThrow(
    /ended with exit code [1-9]\d*[^]*sonde migrate/,
  )
})
