// The doctor's page: it checks by itself, says what to do, checks again, and is reached from where nobody is found.

import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Daemon, waitUntil } from './daemons.mjs'
import { openBrowser, PHONE, Screen, SCREENSHOTS, steps } from './browser.mjs'

/** Loading the model pack takes a second; on a machine that does other things as well, far longer. */
const PATIENCE_MS = 90_000

let browser, node, screen

before(async () => {
  browser = await openBrowser()
  // More than any disk has: the check of the disk must fail.
  node = await Daemon.start('Node', ['--keep-free', '1000TB'])
  screen = await Screen.open(browser, node)
  await screen.page.goto(node.ready.launch)
  await screen.id('add-photos').first().waitFor()
})

after(async () => {
  await browser?.close()
  await node?.stop()
  console.log(`pictures of the screens: ${SCREENSHOTS}`)
})

const step = steps(() => screen?.picture('failed-doctor'))
const row = (key, on = screen) => on.page.locator(`[data-testid=check][data-key=${key}]`)
const checked = (on = screen) => on.page.locator('[data-testid=doctor-summary][data-running=false]').getByText(/^Checked /).waitFor({ timeout: PATIENCE_MS })

step('settings without any other device lead to the doctor, who begins by itself', async () => {
  await screen.go('/settings?at=devices')
  await screen.id('peers-doctor').click()
  await screen.page.getByRole('heading', { level: 1, name: 'Doctor' }).waitFor()
  await checked()
  assert.equal(await screen.id('check').count(), 12)
})

step('what fails is named in words, with what to do; what is good asks for nothing', async () => {
  assert.match(await screen.id('doctor-summary').innerText(), /1 check failed/)
  assert.equal(await row('disk').getAttribute('data-state'), 'failed')
  assert.match(await row('disk').innerText(), /Failed[\s\S]*almost full[\s\S]*empty the trash/)
  assert.match(await row('multicast').innerText(), /Not checked[\s\S]*--no-mdns/)
  assert.match(await row('models').innerText(), /Good[\s\S]*it runs/)
  assert.equal(await row('models').locator('.do').count(), 0)
})

step('check again shows that it checks, and what it found then', async () => {
  const { at: before } = await node.api('GET', '/doctor')
  await screen.id('doctor-run').click()
  await waitUntil('a newer result', async () => {
    const { at, running } = await node.api('GET', '/doctor')
    return !running && at > before
  })
  await checked()
  assert.equal(await screen.id('doctor-run').isEnabled(), true)
})

for (const scheme of ['light', 'dark']) {
  for (const [name, options] of [['desktop', {}], ['phone', { viewport: PHONE, deviceScaleFactor: 2, hasTouch: true, isMobile: true }]]) {
    step(`the page is accessible and fits: ${name}, ${scheme}`, async () => {
      const other = await Screen.open(browser, node, { ...options, colorScheme: scheme })
      const { url } = await node.api('POST', '/session/launch-links', {})
      await other.page.goto(url)
      await other.id('add-photos').first().waitFor()
      await other.go('/doctor')
      await row('videos', other).waitFor()
      const found = await other.flaws('/doctor', `doctor-${name}-${scheme}`)
      await other.page.screenshot({ path: `${SCREENSHOTS}/doctor-whole-${name}-${scheme}.png`, fullPage: true })
      await other.close()
      assert.deepEqual(found, [])
    })
  }
}

step('nothing went wrong on the way: no policy violation, no error, no outside request', () => {
  assert.deepEqual(screen.wrong, [])
})
