import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import { findMeasurements } from './bench.ts'
import { sonde } from './test-sonde.ts'

describe('sonde bench and sonde drill', () => {
  test.concurrent.each([
    ['bench', 'heartbeat', 'apps/control-plane/src/nodes/heartbeat.bench.ts'],
    ['drill', 'nodes', 'apps/control-plane/src/nodes/nodes.drill.ts'],
  ])('sonde %s alone lists what there is, one line each', async (kind, name, file) => {
    const { code, stdout } = await sonde([kind])
    expect(code).toBe(0)
    expect(stdout.split('\n')).toContainEqual(expect.stringMatching(new RegExp(`^${name} +${file}$`)))
    const json = await sonde([kind, '--json'])
    expect(JSON.parse(json.stdout)).toContainEqual({ name, file })
  })

  test.concurrent.each(['bench', 'drill'])('an unknown %s is a usage error that lists the names', async (kind) => {
    const { code, stdout, stderr } = await sonde([kind, 'nothing', '--rounds', '1'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(
      new RegExp(`^error: There is no ${kind} nothing. There are: .*(heartbeat|nodes).*\nSee: sonde ${kind} --help\n$`),
    )
  })

  test.concurrent("options behind the name go to the file, and its exit code is the command's", async () => {
    const { code, stderr } = await sonde(['bench', 'heartbeat', '--no-such-option'])
    expect(stderr).toContain("Unknown option '--no-such-option'")
    expect(code).toBe(1)
  })

  test('an installation without sources has none', () => {
    const dir = mkdtempSync(`${tmpdir()}/sonde-bench-`)
    expect(findMeasurements('bench', dir)).toEqual([])
    rmSync(dir, { recursive: true })
  })
})
