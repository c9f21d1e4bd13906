import { join } from 'node:path'
import { startCluster, startDaemon } from '@sonde/testing'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { complaintsOf, screenshot } from './browser.ts'
import { consoleTest, mutate, signInLink, type Owner } from './console-test.ts'
import { HOSTILE_NAME, insertFleet } from './fleet-rows.ts'
import { axeFindings, fitsItsWidth } from './page-checks.ts'

const row = (page: Page, name: RegExp | string) => page.getByRole('row', { name })
const panel = (page: Page) => page.getByRole('complementary')
const dialog = (page: Page) => page.getByRole('dialog')

/** Signs in and opens the fleet of a session; without an address the newest one would be shown. */
const openFleet = async (page: Page, owner: Owner, sessionId = owner.sessionId): Promise<void> => {
  await page.goto(await signInLink(owner))
  await page.getByRole('heading', { name: 'Fleet' }).waitFor()
  await page.goto(`${owner.url}/sessions/${sessionId}/fleet`)
}

consoleTest(
  'two thousand nodes are filtered, sorted and walked by keys, and only those in sight are drawn',
  { timeout: 60_000 },
  async ({ page, owner, database }) => {
    const complaints = complaintsOf(page)
    const { id: sessionId } = await mutate<{ id: string }>(owner, 'sessions.create', { name: 'big' })
    await insertFleet(database, { sessionId, count: 2_000 })
    await openFleet(page, owner, sessionId)
    await page.getByText('2,000 nodes, 1,960 ready for work').waitFor()
    const drawn = () => page.locator('.grid tbody tr:not(.gap)').count()
    expect(await drawn()).toBeLessThan(80)
    expect(await page.getByRole('grid').getAttribute('aria-rowcount')).toBe('2001')

    await page.locator('.grid-box').evaluate((box: { scrollTop: number; scrollHeight: number }) => {
      box.scrollTop = box.scrollHeight
    })
    await row(page, /^rack-1999 /).waitFor()
    expect(await drawn()).toBeLessThan(80)

    await page.keyboard.press('/')
    await page.keyboard.type('host-199')
    await page.getByText('11 of 2,000 nodes').waitFor()
    await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe('host-199')
    await page.reload()
    await page.getByText('11 of 2,000 nodes').waitFor()
    await page.getByLabel('Filter by name').fill('no such node')
    await page.getByRole('button', { name: 'Show all nodes' }).click()
    await page.getByRole('button', { name: 'cordoned 40' }).click()
    await page.getByText('40 of 2,000 nodes').waitFor()
    expect(new URL(page.url()).searchParams.get('work')).toBe('cordoned')

    await page.getByRole('button', { name: 'Version' }).click()
    const first = page.locator('.grid tbody tr').first()
    await expect.poll(() => first.textContent()).toMatch(/^rack-0 .*1\.9/)
    await page.getByRole('button', { name: 'Version' }).click()
    await expect.poll(() => first.textContent()).toMatch(/^rack-50 .*1\.10/)
    expect(await page.getByRole('columnheader', { name: 'Version' }).getAttribute('aria-sort')).toBe('descending')

    await page.getByRole('grid').focus()
    await page.keyboard.press('j')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await panel(page).getByRole('heading', { name: 'rack-150' }).waitFor()
    await page.keyboard.press('k')
    await panel(page).getByRole('heading', { name: 'rack-50' }).waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => panel(page).count()).toBe(0)

    await page.getByRole('button', { name: 'cordoned 40' }).click()
    await page.getByLabel('Filter by name').fill('evil')
    const hostile = row(page, /evil/)
    await hostile.waitFor()
    expect(await hostile.locator('b').textContent()).toBe(HOSTILE_NAME.replace('\u202E', '\\u{202e}'))
    await hostile.click()
    await panel(page).getByRole('heading', { name: /evil/ }).waitFor()
    await panel(page).getByRole('button', { name: 'Revoke…' }).click()
    await dialog(page)
      .getByText(/img src=x/)
      .waitFor()
    expect(await page.locator('img[src=x]').count()).toBe(0)
    expect(await page.title()).toBe('Sonde')
    expect(complaints).toEqual([])
  },
)

consoleTest(
  'a node is cordoned, uncordoned, drained and revoked, each after it was said what will happen',
  { timeout: 60_000 },
  async ({ page, owner, nodeIds }) => {
    expect(nodeIds).toHaveLength(3)
    const complaints = complaintsOf(page)
    await openFleet(page, owner)
    const open = async (name: string) => {
      await row(page, new RegExp(`^${name} `)).click()
      await panel(page).getByRole('heading', { name }).waitFor()
    }
    await open('edge-1')
    await panel(page).getByText('It is given new work.').waitFor()
    await panel(page).getByText('by attach').first().waitFor()
    await panel(page).getByRole('button', { name: 'Cordon' }).click()
    await dialog(page).getByText('It is given no new work. What runs on it goes on').waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => dialog(page).count()).toBe(0)
    await panel(page).getByRole('button', { name: 'Cordon' }).click()
    await dialog(page).getByLabel('Reason').fill('disk is slow')
    await page.keyboard.press('Enter')
    await panel(page).getByText('edge-1 is cordoned: it is given no new work').waitFor()
    await panel(page).getByText('disk is slow').waitFor()
    await row(page, /^edge-1 /)
      .getByText('cordoned')
      .waitFor()
    await screenshot(page, 'console-fleet')
    expect(await axeFindings(page)).toEqual([])

    await panel(page).getByRole('button', { name: 'Uncordon' }).click()
    await dialog(page).getByRole('button', { name: 'Uncordon' }).click()
    await row(page, /^edge-1 /)
      .getByText('ready')
      .waitFor()

    await open('edge-2')
    await panel(page).getByRole('button', { name: 'Drain…' }).click()
    await dialog(page).getByLabel('Minutes').fill('soon')
    await dialog(page).getByText('Type the minutes until the deadline').waitFor()
    await dialog(page).getByLabel('Minutes').fill('1')
    expect(await axeFindings(page)).toEqual([])
    await dialog(page).getByRole('button', { name: 'Drain' }).click()
    await dialog(page).getByText('node.last_of_primary').waitFor()
    await dialog(page).getByLabel('Also when no other node').check()
    await dialog(page).getByRole('button', { name: 'Drain' }).click()
    await panel(page).getByText('edge-2 drains until').waitFor()
    await row(page, /^edge-2 /)
      .getByText('offline')
      .first()
      .waitFor({ timeout: 30_000 })

    await open('edge-3')
    await panel(page).getByRole('button', { name: 'Remove…' }).click()
    await dialog(page).getByText('A daemon of it that runs comes back by itself').waitFor()
    await dialog(page).getByRole('button', { name: 'Cancel' }).click()
    await panel(page).getByRole('button', { name: 'Revoke…' }).click()
    await dialog(page).getByText('its id never comes back into this session').waitFor()
    await dialog(page).getByRole('button', { name: 'Cancel' }).click()
    await row(page, /^edge-3 /)
      .getByText('ready')
      .waitFor()
    await panel(page).getByRole('button', { name: 'Revoke…' }).click()
    await dialog(page).getByRole('button', { name: 'Revoke for good' }).click()
    await row(page, /^edge-3 /)
      .getByText('revoked')
      .waitFor()
    await panel(page).getByText('It is revoked for good, so nothing can be done to it.').waitFor()
    expect(complaints).toEqual([])
  },
)

consoleTest(
  'a host enrolls with the line that the console shows, and its cluster is seen by shard',
  { timeout: 60_000 },
  async ({ page, owner, home }) => {
    await using cluster = await startCluster({ replicasPerPrimary: 1 })
    await openFleet(page, owner)
    await page.getByRole('button', { name: 'Enroll a node' }).click()
    await page.keyboard.press('Enter')
    await dialog(page).getByText('Give it a name of 1 to 64 printable characters.').waitFor()
    await dialog(page).getByLabel('Name of the node').fill('rack-7')
    await page.keyboard.press('Enter')
    const line = (await dialog(page).getByLabel('The command').textContent()) ?? ''
    const [, enrollment = ''] =
      /^SONDE_URL=\S+ SONDE_ENROLL=(sonde_e_[\w-]{43}) sonde daemon --name rack-7 --target \S+$/.exec(line) ?? []
    expect(await axeFindings(page)).toEqual([])
    await dialog(page).getByRole('button', { name: 'Done' }).click()
    expect(await page.content()).not.toContain('sonde_e_')
    await using daemon = await startDaemon({
      url: owner.url,
      token: '',
      stateDir: join(home, 'rack-7'),
      sources: ['--name', 'rack-7', '--cluster', `redis://127.0.0.1:${cluster.nodes[0]?.port}`],
      env: { SONDE_ENROLL: enrollment },
    })
    await row(page, /^rack-7 /)
      .getByText('ready')
      .waitFor()

    await page.getByRole('link', { name: 'Targets' }).click()
    await page.getByText('all slots served').waitFor()
    const shards = page.getByRole('table', { name: /by shard/ }).locator('tbody')
    await expect.poll(() => shards.count()).toBe(3)
    await expect
      .poll(() => shards.locator('tr td:nth-child(2)').allTextContents())
      .toEqual(['primary', 'replica', 'primary', 'replica', 'primary', 'replica'])
    await shards.first().getByText('0-5460').first().waitFor()
    await screenshot(page, 'console-targets')
    expect(await axeFindings(page)).toEqual([])
    await page.getByLabel('Filter by address').fill('replica')
    await expect.poll(() => page.getByRole('row', { name: /primary/ }).count()).toBe(0)
    await page.getByLabel('Filter by address').fill('')
    await shards
      .first()
      .getByRole('link', { name: daemon.nodeId.slice(0, 13) })
      .first()
      .click()
    await panel(page).getByRole('heading', { name: 'rack-7' }).waitFor()
  },
)

consoleTest(
  'every page is accessible in both themes, and fits a phone',
  { timeout: 120_000 },
  async ({ page, owner, nodeIds }) => {
    const [nodeId = ''] = nodeIds
    await openFleet(page, owner)
    await page.getByRole('grid').waitFor()
    const at = `${owner.url}/sessions/${owner.sessionId}`
    const pages = [
      [`${at}/fleet?node=${nodeId}`, () => panel(page).getByText('Last transitions').waitFor()],
      [`${at}/targets`, () => page.getByRole('heading', { name: 'Standalone' }).waitFor()],
      [`${at}/captures?span=7d`, () => page.getByText('No capture is as asked.').waitFor()],
      [`${at}/captures/new`, () => page.getByText(/chosen targets? can take part now/).waitFor()],
    ] as const
    const look = async (url: string, theme: string) => {
      await page.getByLabel('Theme').selectOption(theme)
      expect(await page.locator('html').getAttribute('data-theme')).toBe(theme)
      expect({ url, theme, findings: await axeFindings(page) }).toMatchObject({ findings: [] })
    }
    for (const [url, isShown] of pages) {
      await page.setViewportSize({ width: 1280, height: 800 })
      await page.goto(url)
      await isShown()
      await look(url, 'light')
      await look(url, 'dark')
      await page.setViewportSize({ width: 390, height: 844 })
      await isShown()
      expect({ url, fits: await fitsItsWidth(page) }).toMatchObject({ fits: true })
      expect({ url, findings: await axeFindings(page) }).toMatchObject({ findings: [] })
    }
  },
)
