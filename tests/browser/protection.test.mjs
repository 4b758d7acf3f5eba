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

step('where children are present, every screen says what that overrules, and keeps what was chosen', async () => {
  await theirs.go(`/events/${event.id}`)
  await theirs.id('children-present').check()
  await theirs.id('policy-overruled').waitFor()
  await holder.api('PATCH', `/events/${event.id}`, { policy: 'automatic' })
  await waitUntil('the choice on the screen', () => theirs.id('policy-automatic').isChecked())
  await theirs.id('blur-overruled').waitFor()
  assert.ok(await theirs.id('blur-bystanders').isChecked())
  await theirs.id('protection-card').scrollIntoViewIfNeeded()
  assert.deepEqual(await theirs.flawsOnDeskAndPhone('children, the host', 'children-host'), [])
  await theirs.id('member-manage').first().click()
  await theirs.id('details-overruled').waitFor()
  await theirs.page.getByRole('button', { name: 'Done' }).click()
  await hers.id('children-are-present').waitFor()
  await hers.id('protection-card').scrollIntoViewIfNeeded()
  assert.deepEqual(await hers.flawsOnDeskAndPhone('children, a member', 'children-member'), [])

  await theirs.go('/approvals')
  await theirs.id('approval-children').waitFor()
  assert.equal(await theirs.id('approval-always').count(), 0, 'no yes for photos that nobody has looked at')
  assert.deepEqual(await theirs.flawsOnDeskAndPhone('children, the question', 'children-approval'), [])
  await theirs.go(`/events/${event.id}/guests`)
  await theirs.id('approve-overruled').waitFor()
  assert.deepEqual(await theirs.flawsOnDeskAndPhone('children, guests', 'children-guests'), [])
  await theirs.go(`/events/${event.id}`)
  await holder.api('PATCH', `/events/${event.id}`, { policy: 'ask' })
  await theirs.id('children-present').uncheck()
  await theirs.id('policy-overruled').waitFor({ state: 'detached' })
  await hers.id('children-are-present').waitFor({ state: 'detached' })
})

step('full name and e-mail are given in the settings, shown in the event when chosen, and taken back', async () => {
  await hers.go(`/events/${event.id}`)
  await hers.id('show-contact').waitFor()
  assert.ok(await hers.id('show-contact').isDisabled(), 'there is nothing to show yet')
  await hers.go('/settings?at=contact')
  await hers.id('contact-name').fill('Ann Lee <img src=x onerror=alert(1)>')
  await hers.id('contact-email').fill('ann@example.org')
  assert.deepEqual(await hers.flawsOnDeskAndPhone('the fields', 'contact-settings'), [])
  await hers.id('contact-save').click()
  await hers.id('contact-save').waitFor({ state: 'detached' })
  assert.equal((await guest.api('GET', '/settings')).contact.email, 'ann@example.org')
  assert.equal(await theirs.id('member-contact').count(), 0)

  await hers.go(`/events/${event.id}`)
  await hers.id('show-contact').check()
  await theirs.id('member-contact').waitFor()
  assert.equal(await theirs.id('member-contact').innerText(), 'Ann Lee <img src=x onerror=alert(1)> · ann@example.org', 'as it was written, and no markup')
  await theirs.id('members').scrollIntoViewIfNeeded()
  assert.deepEqual(await theirs.flawsOnDeskAndPhone('a member with a name', 'contact-member'), [])
  await hers.id('members').scrollIntoViewIfNeeded()
  assert.deepEqual(await hers.flawsOnDeskAndPhone('the choice', 'contact-choice'), [])
  await hers.go('/profile')
  await hers.page.getByText('In Summer party also: Ann Lee').waitFor()
  await hers.go('/privacy')
  await hers.page.getByText('Members of Summer party see who you are').waitFor()
  await hers.go(`/events/${event.id}`)
  await hers.id('show-contact').uncheck()
  await theirs.id('member-contact').waitFor({ state: 'detached' })
})

step('taken back, photos are shared as usual', async () => {
  await hers.id('wish-as-usual').check()
  await waitUntil('nothing asked', async () => (await asked()).length === 0)
  assert.ok(await hers.id('wish-as-usual').isChecked())
  await waitUntil('it is told', async () => (await hers.id('protection-told').count()) === 0)
})
