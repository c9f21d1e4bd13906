import { describe, expect, test } from 'vitest'
import { sonde } from './test-sonde.ts'

describe('sonde fleet-sim', () => {
  test.concurrent.each([
    [['--chaos', 'fire'], /takes partition, clone, pause, restart/],
    [['--nodes', '0'], /from 1 to 25000/],
    [['--chaos', 'clone,pause', '--url', 'http://127.0.0.1:1'], /--chaos pause stops the control plane/],
  ])('refuses %j with advice', async (args, message) => {
    const { code, stdout, stderr } = await sonde(['fleet-sim', ...args])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
  })

  test('starts what it needs, and reports on its last line', { timeout: 120_000 }, async () => {
    const { code, stdout, stderr } = await sonde(['fleet-sim', '--nodes', '20', '--duration', '1s', '--json'])
    expect(stderr).toMatch(/20 nodes online after/)
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      name: 'fleet-sim',
      seed: 1,
      ok: true,
      figures: { nodes: 20, falseVerdicts: 0 },
    })
    expect(code).toBe(0)
  })
})
