import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { complaintsOf, screenshot } from './browser.ts'
import { consoleTest, signInLink } from './console-test.ts'

const receivedOn = async (page: Page): Promise<number> => {
  const text = (await page.getByTestId('tail-count').textContent()) ?? ''
  return Number(/^[\d,]+/.exec(text)?.[0].replaceAll(',', '') ?? Number.NaN)
}

consoleTest(
  'a capture is started, watched, paused, resumed and stopped in the browser',
  { timeout: 120_000 },
  async ({ page, owner, nodeIds }) => {
    const complaints = complaintsOf(page)
    await page.goto(await signInLink(owner))
    await page.getByRole('heading', { name: 'Fleet' }).waitFor()
    expect(page.url()).toBe(`${owner.url}/sessions/${owner.sessionId}/fleet`)
    expect((await page.context().cookies()).map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite])).toEqual([
      ['sonde', true, 'Strict'],
    ])
    await page.getByText('Live', { exact: true }).waitFor()
    for (const nodeId of nodeIds) await page.getByText(nodeId.slice(0, 13)).waitFor()
    await expect.poll(() => page.getByText('ready', { exact: true }).count(), { timeout: 10_000 }).toBe(3)
    await expect.poll(() => page.getByText('synthetic', { exact: true }).count(), { timeout: 10_000 }).toBe(3)

    await page.getByRole('link', { name: 'Start a capture' }).click()
    await page.getByText('3 of 3 chosen targets can take part now.').waitFor()
    await page.getByRole('button', { name: '1 min' }).click()
    await page.getByLabel('Reason').fill('latency at checkout')
    await page.getByRole('button', { name: 'Start', exact: true }).click()

    await page.getByRole('heading', { name: 'latency at checkout' }).waitFor()
    await page.getByText('policy full: keys are kept, values and all else that clients chose are masked').waitFor()
    await page.locator('.line').first().waitFor()
    await expect.poll(() => receivedOn(page), { timeout: 15_000 }).toBeGreaterThan(100)
    expect(await page.locator('.line').count()).toBeLessThan(120)
    await expect.poll(() => page.locator('.segments tbody .mark-busy').count()).toBeGreaterThanOrEqual(3)
    await expect.poll(() => page.locator('.facts dd').first().textContent()).not.toBe('0')

    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('paused', { exact: true }).waitFor()
    const paused = await receivedOn(page)
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    const storedAt = () => page.locator('.facts dd').first().textContent()
    const stored = await storedAt()
    await expect.poll(storedAt, { timeout: 10_000 }).not.toBe(stored)
    expect(await receivedOn(page)).toBe(paused)
    await page.keyboard.press('p')
    await expect.poll(() => receivedOn(page), { timeout: 10_000 }).toBeGreaterThan(paused)
    await screenshot(page, 'console-capture')

    await page.getByRole('button', { name: 'Stop' }).click()
    await page.locator('.capture-status').getByText('completed').waitFor()
    await page.getByText('stopped by hand').first().waitFor()
    await page.getByText('capture ended').waitFor()
    const total = Number((await storedAt())?.replaceAll(',', ''))
    await expect.poll(() => receivedOn(page)).toBe(total)
    await page.locator('.line').last().click()
    await page.getByLabel('The chosen line').waitFor()

    const download = page.waitForEvent('download')
    await page.getByText('Export', { exact: true }).click()
    await page.getByRole('link', { name: 'JSON lines' }).click()
    expect((await download).suggestedFilename()).toMatch(/^capture-[0-9a-f-]{36}\.jsonl$/)

    await page.getByRole('navigation').getByRole('link', { name: 'Captures' }).click()
    const row = page.getByRole('row', { name: /latency at checkout/ })
    await row.getByText('completed').waitFor()
    await page.getByLabel('Status').selectOption('failed')
    await page.getByText('No capture is as asked.').waitFor()
    expect(new URL(page.url()).searchParams.get('status')).toBe('failed')
    await page.getByLabel('Status').selectOption('completed')
    await page.getByLabel('Started').selectOption('between')
    await page.getByLabel('to', { exact: true }).fill('2020-01-01T00:00')
    await page.getByText('No capture is as asked.').waitFor()
    await page.getByLabel('Started').selectOption('1h')
    await row.getByRole('link').click()
    await page.getByText('all lines read').waitFor()
    expect(await receivedOn(page)).toBe(total)
    expect(complaints).toEqual([])
  },
)

consoleTest(
  'a link works once; then a code is pasted, and signing out ends it all',
  { timeout: 60_000 },
  async ({ page, owner }) => {
    const complaints = complaintsOf(page)
    const link = await signInLink(owner)
    await page.goto(link)
    await page.getByRole('heading', { name: 'Fleet' }).waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Sign-in link or code').waitFor()
    expect(await page.context().cookies()).toEqual([])

    await page.goto('about:blank')
    await page.goto(link)
    await page.getByText('auth.code_invalid').waitFor()
    expect(page.url()).not.toContain('code=')
    await page.getByLabel('Sign-in link or code').fill('nothing')
    await page.keyboard.press('Enter')
    await page.getByText('That is no sign-in link or code.').waitFor()
    await page.getByLabel('Sign-in link or code').fill(await signInLink(owner))
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Fleet' }).waitFor()
    expect(complaints).toEqual([])
  },
)

consoleTest(
  'a refused start says what to do, and a lost control plane is seen and comes back',
  { timeout: 90_000 },
  async ({ page, owner, nodeIds, server }) => {
    expect(nodeIds).toHaveLength(3)
    await page.goto(await signInLink(owner))
    await page.getByRole('link', { name: 'Start a capture' }).click()
    await page.getByLabel('Seconds').fill('never')
    await page.getByRole('button', { name: 'Start', exact: true }).click()
    await page.getByText('Type a number.').waitFor()
    await page.getByLabel('Chosen targets').check()
    for (const box of await page.locator('.choice input').all()) await box.uncheck()
    await page.getByText('0 of 0 chosen targets can take part now.').waitFor()
    await page.getByLabel('Seconds').fill('1')
    await page.getByRole('button', { name: 'Start', exact: true }).click()
    await page.getByText('Choose at least one target.').waitFor()

    await page.getByText('Live', { exact: true }).waitFor()
    await server.kill()
    await page.getByText('Connection lost, trying again').waitFor()
    await page.getByText('control_plane.unreachable').first().waitFor({ timeout: 20_000 })
    await server.restart()
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 20_000 })
    await expect.poll(() => page.getByText('control_plane.unreachable').count(), { timeout: 10_000 }).toBe(0)
  },
)
