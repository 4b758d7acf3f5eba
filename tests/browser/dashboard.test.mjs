// The whole way in the browser: two people, two dashboards, one photo that finds the person in it.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before } from 'node:test'
import { Daemon, sample, waitUntil } from './daemons.mjs'
import { cut, drop, openBrowser, PHONE, Screen, SCREENSHOTS, steps } from './browser.mjs'

/** Head and shoulders of the woman at the right of the first sample. */
const HER_SELFIE = { x: 1330, y: 90, width: 540, height: 560 }
const SCREENS = ['/photos', '/events', '/people', '/approvals', '/transfers', '/profile', '/settings', '/doctor', '/activity', '/privacy', '/trash', '/nowhere']

let browser, holder, finder, theirs, hers, event

before(async () => {
  browser = await openBrowser()
  ;[holder, finder] = await Promise.all([Daemon.start('Host'), Daemon.start('Finder')])
  theirs = await Screen.open(browser, holder)
  hers = await Screen.open(browser, finder)
})

after(async () => {
  await browser?.close()
  await Promise.all([holder?.stop(), finder?.stop()])
  console.log(`pictures of the screens: ${SCREENSHOTS}`)
})

const step = steps(() => Promise.all([theirs?.picture('failed-holder'), hers?.picture('failed-finder')]))

step('a launch link opens the dashboard and leaves no token in the address', async () => {
  for (const [screen, daemon] of [[theirs, holder], [hers, finder]]) {
    await screen.page.goto(daemon.ready.launch)
    await screen.id('add-photos').first().waitFor()
    assert.ok(!screen.page.url().includes('launch='), screen.page.url())
  }
  await theirs.picture('empty-timeline')
})

step('photos come in by the file dialog and by drag and drop, and appear as tiles', async () => {
  await theirs.id('file-input').setInputFiles({ name: 'party.jpg', mimeType: 'image/jpeg', buffer: sample(2) })
  await theirs.id('tile').first().waitFor()
  await drop(theirs.page, 'bar.jpg', sample(5))
  await waitUntil('two tiles', async () => (await theirs.id('tile').count()) === 2)
  await waitUntil('their pictures', () => theirs.page.evaluate(() => [...document.querySelectorAll('[data-testid=tile] img')].filter((image) => image.naturalWidth > 0).length >= 2))
})

step('a file that is no photo is kept as a file, with its reason', async () => {
  await theirs.id('file-input').setInputFiles({ name: 'letter.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture at all') })
  const kept = theirs.id('upload-kept')
  await kept.getByText('letter.jpg').waitFor()
  assert.match(await kept.innerText(), /kept as a file: .{10,}/s)
  await waitUntil('its tile', async () => (await theirs.id('tile').count()) === 3)
  await theirs.picture('file-tile')
})

step('an event is made, a link invites, the invited one is admitted', async () => {
  await theirs.go('/events')
  await theirs.id('create-event').first().click()
  await theirs.id('event-name').fill('Summer party')
  await theirs.id('create-event-submit').click()
  event = await waitUntil('the event', async () => (await holder.api('GET', '/events'))[0])
  await theirs.go(`/events/${event.id}`)
  await theirs.id('invite-button').first().click()
  const field = theirs.id('invite-link')
  await field.waitFor()
  const link = await waitUntil('the link', () => field.evaluate((element) => (element.value ?? element.textContent).trim()))
  assert.match(link, /^inframe:\/\/join\//)
  await theirs.picture('invite')

  await hers.go('/events')
  await hers.id('join-link').or(hers.id('join-event')).first().waitFor()
  if ((await hers.id('join-link').count()) === 0) await hers.id('join-event').first().click()
  await hers.id('join-link').fill(link)
  await hers.id('join-submit').click()
  await theirs.go(`/events/${event.id}`)
  await theirs.id('admit').first().waitFor()
  await hers.go(`/events/${event.id}`)
  const words = []
  for (const screen of [theirs, hers]) {
    await screen.id('verification-words').waitFor()
    words.push(await screen.id('verification-words').locator('li').allInnerTexts())
  }
  assert.equal(words[0].length, 6)
  assert.deepEqual(words[0], words[1], 'both screens show the same words')
  await theirs.picture('admission')
  await hers.picture('waiting-for-the-host')
  await theirs.id('admit').first().click()
  await waitUntil('her membership', async () => (await finder.api('GET', '/events'))[0]?.role === 'member')
  const { epoch_at: before } = await holder.api('GET', `/events/${event.id}`)
  await theirs.id('renew-keys').click()
  await waitUntil('new keys at both', async () => {
    const [{ epoch_at: mine }, { epoch_at: hers }] = await Promise.all([holder, finder].map((daemon) => daemon.api('GET', `/events/${event.id}`)))
    return mine > before && hers === mine
  })
})

step('a selfie is taken only after the text was agreed to', async () => {
  await hers.go('/profile')
  await hers.id('consent-tick').waitFor()
  const input = hers.id('selfie-input')
  assert.ok((await input.count()) === 0 || (await input.isDisabled()), 'no selfie before consent')
  await hers.picture('consent')
  await hers.id('consent-tick').check()
  const agree = hers.id('consent-submit')
  if ((await agree.count()) > 0) await agree.click()
  await input.waitFor({ state: 'attached' })
  await input.setInputFiles({ name: 'me.jpg', mimeType: 'image/jpeg', buffer: await cut(browser, sample(1), HER_SELFIE) })
  await waitUntil('her enrolment', async () => (await finder.api('GET', '/profile')).enrolled)
})

step('she announces herself in the event, and the page says so everywhere', async () => {
  await hers.go(`/events/${event.id}`)
  await hers.id('find-me').first().click()
  await hers.id('consent-tick').waitFor()
  assert.ok(await hers.id('announce').isDisabled(), 'no announcement before the text is agreed to')
  await hers.picture('announce')
  await hers.id('consent-tick').check()
  await hers.id('announce').click()
  await waitUntil('the find-me', async () => (await finder.api('GET', `/events/${event.id}`)).find_me)
  await hers.go('/photos')
  await hers.id('announcing-badge').first().waitFor()
})

step('the holder is asked with both faces, says yes, and the photo appears at hers without a reload', async () => {
  await hers.page.evaluate(() => (globalThis.notReloaded = true))
  const { hash } = await holder.api('GET', '/consent-texts/faces')
  await holder.api('POST', '/profile/consent', { text_hash: hash })
  // Only this photo takes part: strangers in the others may be asked about as well, with other keys for other events.
  await holder.api('PATCH', `/events/${event.id}`, { scope: 'chosen', policy: 'ask' })
  const { asset } = await holder.api('POST', '/uploads?name=terrace.jpg', sample(3))
  await holder.api('POST', `/events/${event.id}/assets`, { assets: [asset] })
  const question = await waitUntil('the question', async () => (await holder.api('GET', '/approvals?state=waiting'))[0])
  assert.equal(question.asset, asset)
  await theirs.go('/approvals')
  const card = theirs.id('approval-card').first()
  await card.waitFor()
  await waitUntil('their face, the matched face and the photo', () =>
    card.evaluate((element) => [...element.querySelectorAll('img')].filter((image) => image.naturalWidth > 0).length >= 3))
  await theirs.picture('approval')
  assert.deepEqual(await theirs.axe(), [], 'accessibility of the approval')

  await holder.api('PATCH', '/settings', { undo_seconds: 600 })
  await theirs.id('approval-allow').first().click()
  await theirs.page.getByText(/^Goes to .+ in 10 minutes\.$/).waitFor()
  await theirs.id('approval-undo').waitFor()
  assert.deepEqual(await theirs.axe(), [], 'accessibility of an answer that can be taken back')
  await theirs.picture('approval-undo')
  await theirs.id('notice-action').click()
  await card.waitFor()
  assert.equal((await holder.api('GET', '/approvals?state=waiting'))[0].id, question.id, 'it waits again')
  assert.equal(await theirs.id('approval-undo').count(), 0)
  // From the list of decisions as well.
  await card.getByTestId('approval-not-now').click()
  await theirs.id('approval-undo').click()
  await card.waitFor()
  await holder.api('PATCH', '/settings', { undo_seconds: 0 })
  await theirs.id('approval-allow').first().click()

  await hers.id('tile').first().waitFor()
  assert.equal(await hers.page.evaluate(() => globalThis.notReloaded), true, 'the page was reloaded')
  assert.equal(await hers.id('tile').count(), 1)
  await hers.picture('received')
  await hers.id('tile').first().click()
  await hers.id('photo').waitFor()
  await hers.picture('photo')
  assert.deepEqual(await hers.axe(), [], 'accessibility of the photo')
})

step('both sides list the transfer', async () => {
  for (const screen of [theirs, hers]) {
    await screen.go('/transfers')
    await screen.id('transfer-row').first().waitFor()
  }
})

step('the page on privacy says who has what, and gives everything about her as a file', async () => {
  await theirs.go('/privacy')
  await theirs.id('privacy-share').getByText('Finder has 1 photo of yours').waitFor()
  await theirs.id('privacy-rule').getByText('You are asked for every photo').waitFor()
  await hers.go('/privacy')
  await hers.id('privacy-face').getByText('Announced in Summer party').waitFor()
  assert.deepEqual(await hers.flawsOnDeskAndPhone('privacy', 'privacy'), [])
  const [download] = await Promise.all([hers.page.waitForEvent('download'), hers.id('about-me').click()])
  const all = JSON.parse(readFileSync(await download.path(), 'utf8'))
  assert.equal(all.selfies.length, 1)
  assert.equal(all.consents.length, 2)
})

step('a photo is asked back, and whoever has it decides', async () => {
  await theirs.go('/transfers')
  await theirs.id('transfer-ask-back').click()
  await theirs.id('ask-back-dialog').waitFor()
  assert.deepEqual(await theirs.flawsOnDeskAndPhone('asking back', 'ask-back'), [])
  await theirs.id('ask-back-confirm').click()
  await theirs.page.locator('[data-testid=transfer-recall][data-recall=open]').waitFor()
  await hers.go('/approvals')
  await hers.id('recall-card').getByText('Host asks you to delete a photo').waitFor()
  assert.deepEqual(await hers.flawsOnDeskAndPhone('a recall', 'recall'), [])
  await hers.id('recall-keep').click()
  await hers.id('recall-card').waitFor({ state: 'detached' })
  await theirs.page.locator('[data-testid=transfer-recall][data-recall=kept]').waitFor()
  await theirs.picture('recall-kept')
})

step('another browser is seen in the settings, and is signed out from there', async () => {
  const other = await Screen.open(browser, holder)
  const { url } = await holder.api('POST', '/session/launch-links', {})
  await other.page.goto(url)
  await other.id('tile').first().waitFor()
  await theirs.go('/settings')
  await waitUntil('both browsers', async () => (await theirs.id('session').count()) === 2)
  await theirs.id('sessions').scrollIntoViewIfNeeded()
  await theirs.picture('sessions')
  await theirs.id('session-end').click()
  await waitUntil('one browser', async () => (await theirs.id('session').count()) === 1)
  const answer = await other.page.evaluate(async () => (await fetch('/api/v1/status')).status)
  assert.equal(answer, 401)
  await other.close()
  const { text } = (await holder.api('GET', '/activity')).find((entry) => entry.kind === 'sign-in')
  assert.match(text, /^Chrome on Linux signed in/)
})

step('a withdrawal is one click away', async () => {
  await hers.go(`/events/${event.id}`)
  await hers.id('withdraw').first().click()
  const sure = hers.id('withdraw-confirm')
  if ((await sure.count()) > 0) await sure.click()
  await waitUntil('the withdrawal', async () => (await finder.api('GET', `/events/${event.id}`)).find_me === null)
})

for (const scheme of ['light', 'dark']) {
  for (const [name, options] of [['desktop', {}], ['phone', { viewport: PHONE, deviceScaleFactor: 2, hasTouch: true, isMobile: true }]]) {
    step(`every screen is accessible and fits: ${name}, ${scheme}`, async () => {
      const screen = await Screen.open(browser, holder, { ...options, colorScheme: scheme })
      const { url } = await holder.api('POST', '/session/launch-links', {})
      await screen.page.goto(url)
      await screen.id('tile').first().waitFor()
      const found = []
      const [shown] = (await holder.api('GET', `/events/${event.id}`)).asset_ids
      for (const path of [...SCREENS, `/events/${event.id}`, `/photo/${shown}`]) {
        await screen.go(path)
        await screen.page.locator('h1:visible, [data-testid=photo]:visible').first().waitFor()
        const label = path.startsWith('/events/') ? 'event' : path.startsWith('/photo/') ? 'one-photo' : path.slice(1)
        found.push(...(await screen.flaws(path, `${label}-${name}-${scheme}`)))
      }
      await screen.close()
      assert.deepEqual(found, [])
    })
  }
}

step('nothing went wrong on the way: no policy violation, no error, no outside request', () => {
  assert.deepEqual([...theirs.wrong, ...hers.wrong], [])
})
