// "Photos of me that others took" in the browser: chosen, agreed to, changed, taken back; the host's rule for bystanders; what whoever is asked sees of it.

import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Daemon, sample, waitUntil } from './daemons.mjs'
import { cut, openBrowser, Screen, SCREENSHOTS, steps } from './browser.mjs'

/** Head and shoulders of the woman at the right of the first sample. */
const HER_SELFIE = { x: 1330, y: 90, width: 540, height: 560 }

let browser, holder, guest, theirs, hers, event

before(async () => {
  browser = await openBrowser()
  ;[holder, guest] = await Promise.all([Daemon.start('Host'), Daemon.start('Guest')])
  theirs = await Screen.open(browser, holder)
  hers = await Screen.open(browser, guest)
  for (const [screen, daemon] of [[theirs, holder], [hers, guest]]) {
    const { hash } = await daemon.api('GET', '/consent-texts/faces')
    await daemon.api('POST', '/profile/consent', { text_hash: hash })
    await screen.page.goto(daemon.ready.launch)
    await screen.id('add-photos').first().waitFor()
  }
  event = await holder.api('POST', '/events', { name: 'Summer party' })
  await holder.api('PATCH', `/events/${event.id}`, { scope: 'all', policy: 'ask', admit_automatically: true })
  const invite = await holder.api('POST', `/events/${event.id}/invites`, {})
  await guest.api('POST', '/events/join', { link: invite.link })
  await waitUntil('her membership', async () => (await guest.api('GET', '/events'))[0]?.role === 'member')
})

after(async () => {
  await browser?.close()
  await Promise.all([holder?.stop(), guest?.stop()])
  console.log(`pictures of the screens: ${SCREENSHOTS}`)
})

const step = steps(() => Promise.all([theirs?.picture('failed-protection-host'), hers?.picture('failed-protection-guest')]))
const asked = async () => (await guest.api('GET', `/events/${event.id}`)).protections

step('without a selfie there is nothing to protect, and the card says what to do', async () => {
  await hers.go(`/events/${event.id}`)
  await hers.id('protection-enrol-first').waitFor()
  assert.equal(await hers.id('wish-blur').count(), 0)
  await guest.api('POST', '/profiles/me/selfies', await cut(browser, sample(1), HER_SELFIE))
  await hers.id('wish-as-usual').waitFor()
  assert.ok(await hers.id('wish-as-usual').isChecked())
})

step('a wish counts after the text was agreed to, and not before', async () => {
  await hers.id('wish-blur').check()
  await hers.id('protection-dialog').waitFor()
  assert.ok(await hers.id('protect').isDisabled(), 'nothing before the tick')
  assert.match(await hers.id('protection-dialog').innerText(), /can only obey if it finds your face/)
  assert.deepEqual(await hers.flawsOnDeskAndPhone('the consent', 'protection-consent'), [])
  await hers.page.getByRole('button', { name: 'Not now' }).click()
  await hers.id('protection-dialog').waitFor({ state: 'detached' })
  assert.ok(await hers.id('wish-as-usual').isChecked(), 'what was not agreed to is not shown as chosen')
  assert.deepEqual(await asked(), [])

  await hers.id('wish-blur').check()
  await hers.id('consent-tick').check()
  await hers.id('protect').click()
  await hers.id('protection-dialog').waitFor({ state: 'detached' })
  assert.ok(await hers.id('wish-blur').isChecked())
  assert.equal((await asked())[0].wish, 'blur')
  await hers.page.getByText('1 of 1 device has heard it.').waitFor()
  await hers.id('protection-limits').waitFor()
  await hers.id('protection-card').scrollIntoViewIfNeeded()
  assert.deepEqual(await hers.flawsOnDeskAndPhone('the card', 'protection-card'), [])
})

step('it is changed, by the keyboard as well, and outlives a reload', async () => {
  await hers.id('wish-blur').focus()
  await hers.page.keyboard.press('ArrowDown')
  await hers.id('protection-dialog').waitFor()
  await hers.id('consent-tick').focus()
  await hers.page.keyboard.press('Space')
  await hers.id('protect').focus()
  await hers.page.keyboard.press('Enter')
  await waitUntil('the other wish', async () => (await asked())[0]?.wish === 'hold-back')
  await hers.page.reload()
  await hers.id('wish-hold-back').waitFor()
  assert.ok(await hers.id('wish-hold-back').isChecked())
})

step('the host has bystanders blurred, the guest reads so and may ask to be seen', async () => {
  await theirs.go(`/events/${event.id}`)
  await theirs.id('blur-bystanders').check()
  await hers.id('bystanders-blurred').waitFor()
  await hers.id('wish-show').check()
  await hers.id('consent-tick').check()
  await hers.id('protect').click()
  await waitUntil('the wish', async () => (await asked())[0]?.wish === 'show')
  await theirs.id('protection-card').scrollIntoViewIfNeeded()
  assert.deepEqual(await theirs.flawsOnDeskAndPhone('the rule', 'protection-rule'), [])
})

step('whoever is asked reads how many faces are blurred', async () => {
  const { hash } = await guest.api('GET', '/consent-texts/announce')
  await guest.api('PUT', `/events/${event.id}/find-me`, { profile: 'me', text_hash: hash, hours: 24 })
  await holder.api('POST', '/uploads?name=terrace.jpg', sample(1))
  await waitUntil('the question', async () => (await holder.api('GET', '/approvals?state=waiting'))[0])
  await theirs.go('/approvals')
  await theirs.id('approval-blurred').waitFor()
  assert.match(await theirs.id('approval-blurred').innerText(), /^2 faces are blurred in what goes/)
  assert.deepEqual(await theirs.flawsOnDeskAndPhone('the question', 'protection-approval'), [])
})

step('taken back, photos are shared as usual', async () => {
  await hers.id('wish-as-usual').check()
  await waitUntil('nothing asked', async () => (await asked()).length === 0)
  assert.ok(await hers.id('wish-as-usual').isChecked())
  await waitUntil('it is told', async () => (await hers.id('protection-told').count()) === 0)
})
