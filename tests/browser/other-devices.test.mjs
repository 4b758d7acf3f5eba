// The dashboard from another device of the network: a password set at home, the sign-in page, and everything behind it over TLS.

import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Daemon, sample, waitUntil } from './daemons.mjs'
import { openBrowser, PHONE, Screen, SCREENSHOTS, steps } from './browser.mjs'

const PASSWORD = 'lanterns on the lake'
const OTHER = 'boats at midnight'

let browser, node, home, away

before(async () => {
  browser = await openBrowser()
  node = await Daemon.start('Node', ['--lan', '0.0.0.0:0'])
  home = await Screen.open(browser, node)
  await home.page.goto(node.ready.launch)
  await home.id('add-photos').first().waitFor()
  await home.id('file-input').setInputFiles({ name: 'party.jpg', mimeType: 'image/jpeg', buffer: sample(2) })
  await home.id('tile').first().waitFor()
})

after(async () => {
  await browser?.close()
  await node?.stop()
  console.log(`pictures of the screens: ${SCREENSHOTS}`)
})

const step = steps(async () => {
  await home?.picture('failed-lan-home')
  await away?.picture('failed-lan-away')
})

/** A browser of another device, whose owner has compared the fingerprint. */
const elsewhere = (options = {}) => Screen.open(browser, { ready: { dashboard: node.ready.lan.dashboard } }, { ignoreHTTPSErrors: true, ...options })

step('without a password the page says what to do, and shows nothing else', async () => {
  away = await elsewhere()
  await away.go('/')
  await away.id('sign-in-no-password').waitFor()
  assert.equal(await away.id('sign-in-password').count(), 0)
  assert.equal(await away.id('tile').count(), 0)
  assert.deepEqual(await away.axe(), [])
  await away.picture('sign-in-no-password')
})

step('the settings show the address and the fingerprint; a password that is short or mistyped is not taken', async () => {
  await home.go('/settings?at=lan')
  await home.id('lan-address').first().getByText(node.ready.lan.dashboard).waitFor()
  assert.equal((await home.id('lan-fingerprint').innerText()).replace(/\s/g, ''), node.ready.lan.fingerprint)
  assert.equal(await home.id('lan-password-remove').count(), 0)
  await home.id('lan-password-set').click()
  assert.equal(await home.id('lan-current').count(), 0)
  await home.id('lan-new').fill(PASSWORD)
  await home.id('lan-again').fill(`${PASSWORD}s`)
  await home.id('lan-submit').click()
  await home.id('lan-problem').getByText('not the same').waitFor()
  for (const field of ['lan-new', 'lan-again']) await home.id(field).fill('short')
  await home.id('lan-submit').click()
  await home.id('lan-problem').getByText('at least 10').waitFor()
  assert.deepEqual(await home.flaws('password', 'lan-dialog').then((all) => all.filter((one) => !/status of 422 /.test(one))), [])
  for (const field of ['lan-new', 'lan-again']) await home.id(field).fill(PASSWORD)
  await home.id('lan-submit').click()
  await home.id('lan-dialog').waitFor({ state: 'detached' })
  await home.id('lan-password-state').getByText(/^Signs in/).waitFor()
  home.wrong.length = 0
  await home.id('lan').scrollIntoViewIfNeeded()
  assert.deepEqual(await home.flawsOnDeskAndPhone('settings', 'lan-settings'), [])
})

step('on a phone the wrong password says so and the right one opens the dashboard, with what is new as it comes', async () => {
  await away.close()
  away = await elsewhere({ viewport: PHONE, colorScheme: 'dark' })
  await away.go('/events')
  await away.id('sign-in-password').waitFor()
  assert.equal(await away.id('sign-in-password').getAttribute('autocomplete'), 'current-password')
  away.wrong.length = 0
  assert.deepEqual(await away.flaws('sign-in', 'sign-in-phone-dark'), [])
  await away.id('sign-in-password').fill('lanterns on the lak')
  await away.id('sign-in-submit').click()
  await away.id('sign-in-problem').getByText('not the password').waitFor()
  await away.picture('sign-in-wrong-phone-dark')
  await away.id('sign-in-password').fill(PASSWORD)
  await away.page.keyboard.press('Enter')
  await away.id('sign-in').waitFor({ state: 'detached' })
  await away.go('/photos')
  await away.id('tile').first().waitFor()
  assert.equal(await away.id('tile').count(), 1)
  // Nothing is loaded anew: the live socket tells of it.
  await home.go('/photos')
  await home.id('file-input').setInputFiles({ name: 'lake.jpg', mimeType: 'image/jpeg', buffer: sample(3) })
  await waitUntil('the new photo', async () => (await away.id('tile').count()) === 2)
  await away.picture('photos-phone-dark')
  const [cookie] = await away.context.cookies()
  assert.deepEqual([cookie.name.startsWith('__Host-'), cookie.secure, cookie.httpOnly, cookie.sameSite], [true, true, true, 'Strict'])
})

step('the list of browsers says which one is elsewhere', async () => {
  await home.go('/settings?at=sessions')
  await home.id('session').filter({ hasText: 'Over the network, from' }).waitFor()
  await home.id('sessions').scrollIntoViewIfNeeded()
  assert.deepEqual(await home.axe(), [])
  await home.picture('sessions-over-the-network')
})

step('locked, the other device unlocks; signed out, it sees the sign-in page again', async () => {
  await node.api('POST', '/vault/lock', {})
  await away.id('unlock').waitFor()
  await away.id('unlock-submit').click()
  await away.id('tile').first().waitFor()
  await away.go('/settings?at=lan')
  await away.id('lan-password-set').click()
  await away.id('lan-current').fill(PASSWORD)
  for (const field of ['lan-new', 'lan-again']) await away.id(field).fill(OTHER)
  await away.id('lan-submit').click()
  await away.id('lan-dialog').waitFor({ state: 'detached' })
  await away.id('lan').scrollIntoViewIfNeeded()
  assert.deepEqual(await away.axe(), [])
  await away.picture('lan-settings-away-phone-dark')
  // Everybody else is signed out, those at home too.
  await home.go('/photos')
  await home.id('launch').waitFor()
  await node.api('PUT', '/lan/password', { password: null })
  await away.go('/photos')
  await away.id('sign-in-no-password').waitFor()
})

step('nothing went wrong on the way but what was refused on purpose', () => {
  for (const screen of [home, away]) assert.deepEqual(screen.wrong.filter((line) => !/status of (401|403|422|423) /.test(line)), [])
})
