import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { complaintsOf, screenshot } from './browser.ts'
import { consoleTest, mutate, signInLink, type Owner } from './console-test.ts'
import { axeFindings, fitsItsWidth } from './page-checks.ts'

/** Compressed bytes of script until the fleet is shown; issue 7, line 10. */
const FIRST_LOAD_BYTES = 200 * 1024

const search = (page: Page) => page.getByRole('region', { name: 'Search' })
const timeline = (page: Page) => page.getByRole('region', { name: 'Timeline' })
const parameter = (page: Page, name: string) => new URL(page.url()).searchParams.get(name)

const totalOn = async (page: Page): Promise<number> => {
  const status = search(page).getByRole('status')
  await status.getByText(/ lines? match/).waitFor()
  return Number(/[\d,]+/.exec((await status.textContent()) ?? '')?.[0].replaceAll(',', ''))
}

/** A capture of all daemons that has ended. */
const captureAll = async ({ sessionId, ...call }: Owner, durationMs: number) => {
  const input = { sessionId, scope: { kind: 'primaries' }, durationMs, require: 'all', reason: 'slow checkout' }
  const { capture } = await mutate<{ capture: { id: string } }>(call, 'captures.start', input)
  return capture.id
}

consoleTest(
  'the fleet is shown with at most 200 kB of script, and the page of a capture brings its own',
  { timeout: 120_000 },
  async ({ page, owner, chromium }) => {
    expect(chromium).not.toBe('')
    const network = await page.context().newCDPSession(page)
    await network.send('Network.enable')
    const scripts = new Set<string>()
    let bytes = 0
    network.on('Network.responseReceived', ({ requestId, type }) => type === 'Script' && scripts.add(requestId))
    network.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      if (scripts.has(requestId)) bytes += encodedDataLength
    })
    await page.goto(await signInLink(owner))
    await page.getByRole('heading', { name: 'Fleet' }).waitFor()
    expect(bytes).toBeGreaterThan(10_000)
    expect(bytes).toBeLessThan(FIRST_LOAD_BYTES)
  },
)

consoleTest(
  'lines are found, narrowed by facets and time, tailed under the same filter and exported',
  { timeout: 120_000 },
  async ({ page, owner, nodeIds }) => {
    expect(nodeIds).toHaveLength(3)
    const complaints = complaintsOf(page)
    await page.goto(await signInLink(owner))
    await page.getByText('Live', { exact: true }).waitFor()
    await expect.poll(() => page.getByText('ready', { exact: true }).count(), { timeout: 10_000 }).toBe(3)
    const captureId = await captureAll(owner, 4_000)
    const address = `${owner.url}/sessions/${owner.sessionId}/captures/${captureId}`
    await page.goto(address)
    await page.getByRole('heading', { name: 'slow checkout' }).waitFor()
    await page.getByText('capture ended').or(page.getByText('all lines read')).waitFor({ timeout: 20_000 })

    await page.getByRole('button', { name: 'Search', exact: true }).click()
    const all = await totalOn(page)
    const lines = Number((await page.locator('.facts dd').first().textContent())?.replaceAll(',', ''))
    expect(all).toBe(lines)
    const rows = page.locator('.line')
    await rows.first().waitFor()
    expect(await rows.count()).toBeLessThan(120)
    await search(page).getByText('500 shown, oldest first').waitFor()
    await search(page).getByRole('button', { name: 'More lines' }).click()
    await search(page).getByText('1,000 shown, oldest first').waitFor()

    await page.getByLabel('Filter', { exact: true }).fill('cmd:GET foo:1')
    await page.getByText('column 9: there is no term "foo"').waitFor()
    expect(await page.getByRole('button', { name: 'Apply' }).isDisabled()).toBe(true)
    expect(await axeFindings(page)).toEqual([])
    await page.getByLabel('Filter', { exact: true }).press('Escape')
    await page.getByText('column 9').waitFor({ state: 'detached' })

    const facets = page.getByRole('group', { name: 'Facets' })
    const get = facets.getByRole('listitem').filter({ has: page.getByRole('button', { name: 'GET', exact: true }) })
    const gets = Number((await get.locator('.number').textContent())?.replaceAll(',', ''))
    await get.getByRole('button').click()
    await expect.poll(() => parameter(page, 'q')).toBe('cmd:GET')
    await expect.poll(() => totalOn(page)).toBe(gets)

    await page.getByRole('group', { name: 'Segments' }).getByRole('button', { name: 'segment 1' }).click()
    await expect.poll(() => parameter(page, 'segments')).toBe('1')
    await expect.poll(() => totalOn(page)).toBeLessThan(gets)
    const narrowed = await totalOn(page)

    await page.locator('.timeline-plot').scrollIntoViewIfNeeded()
    const plot = await page.locator('.timeline-plot').boundingBox()
    if (!plot) throw new Error('the timeline is not shown')
    const brush = async ([from, to]: readonly [number, number]) => {
      await page.mouse.move(plot.x + plot.width * from, plot.y + 20)
      await page.mouse.down()
      await page.mouse.move(plot.x + plot.width * to, plot.y + 20, { steps: 4 })
      await page.mouse.up()
    }
    await brush([0.7, 0.35])
    await expect.poll(() => parameter(page, 'from')).not.toBeNull()
    await expect.poll(() => totalOn(page)).toBeLessThan(narrowed)
    const found = await totalOn(page)
    expect(found).toBeGreaterThan(0)
    await screenshot(page, 'console-search')

    await page.reload()
    await expect.poll(() => totalOn(page)).toBe(found)
    expect([...new URL(page.url()).searchParams.keys()].toSorted()).toEqual(['from', 'q', 'segments', 'to', 'view'])

    await page.getByRole('button', { name: 'Tail', exact: true }).click()
    await page.getByText('all lines read').waitFor()
    await expect
      .poll(async () => (await page.getByTestId('tail-count').textContent())?.replaceAll(',', ''))
      .toBe(`${found} received`)
    await page.getByText('Columns', { exact: true }).click()
    await page.getByLabel('client and db').uncheck()
    await page.locator('.line-client').first().waitFor({ state: 'detached' })
    expect(parameter(page, 'columns')).toBe('time,segment')

    const download = page.waitForEvent('download')
    await page.getByText('Export', { exact: true }).click()
    expect(await page.locator('.menu-box a').count()).toBe(6)
    await page.getByRole('link', { name: 'Raw' }).click()
    const exported = await readFile(await (await download).path(), 'latin1')
    expect(exported.split('\n')).toHaveLength(found + 1)
    expect(complaints).toEqual([])
  },
)

consoleTest(
  'the timeline and the segments can be read without the picture, in both themes and on a phone',
  { timeout: 120_000 },
  async ({ page, owner, nodeIds }) => {
    expect(nodeIds).toHaveLength(3)
    const complaints = complaintsOf(page)
    await page.goto(await signInLink(owner))
    await expect.poll(() => page.getByText('ready', { exact: true }).count(), { timeout: 10_000 }).toBe(3)
    const captureId = await captureAll(owner, 2_500)
    await page.goto(`${owner.url}/sessions/${owner.sessionId}/captures/${captureId}`)
    await page.getByText('capture ended').or(page.getByText('all lines read')).waitFor({ timeout: 20_000 })

    await page.getByRole('button', { name: 'More about segment 0' }).click()
    await page.getByText('nothing is known to be missing').waitFor()
    await page.getByText(/received: [\d,]+ recorded, 0 filtered out/).waitFor()
    const picture = timeline(page).getByRole('img')
    expect(await picture.getAttribute('aria-label')).toMatch(/^Lines per second by segment, from \d\d:\d\d:\d\d/)
    await timeline(page).getByText('In numbers').click()
    const from = timeline(page).getByRole('button', { name: /^from here: / })
    await from.nth(1).press('Enter')
    await expect.poll(() => parameter(page, 'from')).not.toBeNull()

    for (const theme of ['Light', 'Dark']) {
      await page.getByLabel('Theme').selectOption(theme)
      expect(await axeFindings(page), theme).toEqual([])
    }
    await page.getByRole('button', { name: 'Search', exact: true }).click()
    await totalOn(page)
    for (const theme of ['Light', 'Dark']) {
      await page.getByLabel('Theme').selectOption(theme)
      expect(await axeFindings(page), theme).toEqual([])
    }
    await page.setViewportSize({ width: 390, height: 844 })
    expect(await fitsItsWidth(page)).toBe(true)
    expect(complaints).toEqual([])
  },
)

consoleTest(
  'a start says who takes part and what is kept, and a long one is asked about',
  { timeout: 120_000 },
  async ({ page, owner, nodeIds }) => {
    const complaints = complaintsOf(page)
    await page.goto(await signInLink(owner))
    await expect.poll(() => page.getByText('ready', { exact: true }).count(), { timeout: 10_000 }).toBe(3)
    await mutate(owner, 'runtimeNode.cordon', { sessionId: owner.sessionId, nodeId: nodeIds[0] })
    await page.getByRole('link', { name: 'Start a capture' }).click()
    await page.getByText('2 of 3 chosen targets can take part now.').waitFor()
    await page.getByText('its node: cordoned').waitFor()
    await page.getByText('will take part, read by edge-3').waitFor()
    await page.getByText('policy full, revision').waitFor()
    await page.getByLabel('Needed to begin').selectOption('all')
    await page.getByText('3 targets are needed, and 2 can take part').waitFor()
    await page.getByLabel('Needed to begin').selectOption('any')
    await page.getByLabel('Seconds').fill('600')
    await page.getByText('after 10 min, or earlier at').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await screenshot(page, 'console-start')
    await page.getByRole('button', { name: 'Start', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Capture for 10 min?' })
    await dialog.getByText('these 2 servers format every command').waitFor()
    expect(await axeFindings(page)).toEqual([])
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    await mutate(owner, 'runtimeNode.uncordon', { sessionId: owner.sessionId, nodeId: nodeIds[0] })
    await page.getByText('3 of 3 chosen targets can take part now.').waitFor()
    expect(complaints).toEqual([])
  },
)
