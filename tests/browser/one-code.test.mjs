// One code for phones and for nodes: the host ticks it, a phone opens the guest page with it and keeps nothing of the invite, and a node joins with the same text.

import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Daemon, waitUntil } from './daemons.mjs'
import { openBrowser, PHONE, Screen, steps } from './browser.mjs'

let browser, host, member, desk, hers, phone, event, link
const flaws = []

before(async () => {
  browser = await openBrowser()
  ;[host, member] = await Promise.all([Daemon.start('Ann'), Daemon.start('Zoë')])
  event = await host.api('POST', '/events', { name: 'Lena & Tom' })
  await host.api('PATCH', `/events/${event.id}/guest-page`, { on: true })
  desk = await Screen.open(browser, host)
  hers = await Screen.open(browser, member)
  for (const [screen, daemon] of [[desk, host], [hers, member]]) await screen.page.goto(daemon.ready.launch)
})

after(async () => {
  await browser?.close()
  await Promise.all([host, member].map((daemon) => daemon?.stop()))
})

const step = steps(() => Promise.all([phone?.picture('failed-one-code-phone'), desk?.picture('failed-one-code-host'), hers?.picture('failed-one-code-member')]))

const looks = async (screen, label, name) => flaws.push(...(await screen.flawsOnDeskAndPhone(label, name)))

async function scanned(address) {
  const screen = await Screen.open(browser, { ready: { dashboard: address } }, { viewport: PHONE, hasTouch: true, isMobile: true, deviceScaleFactor: 2 })
  await screen.page.goto(address)
  await screen.page.locator('label[for=files]').waitFor()
  return screen
}

step('the host ticks that members may join with the code of the poster', async () => {
  await desk.go(`/events/${event.id}/poster`)
  await desk.id('poster-qr').waitFor()
  assert.equal(await desk.id('members-tick').isChecked(), false, 'for guests alone, until the host says so')
  await looks(desk, 'a poster for guests', 'one-code-guests')
  await desk.id('members-tick').check()
  await desk.id('members-state').getByText('10 more people can join').waitFor()
  await desk.id('poster-members').waitFor()
  await looks(desk, 'a poster for both', 'one-code-both')
  await desk.page.emulateMedia({ media: 'print' })
  await desk.picture('one-code-print')
  assert.equal(await desk.id('members-tick').evaluate((field) => getComputedStyle(field).visibility), 'hidden', 'the tick is not printed')
  await desk.page.emulateMedia({ media: 'screen' })
  await desk.go(`/events/${event.id}/guests`)
  await desk.id('members-state').waitFor()
  await looks(desk, 'the code among the settings', 'one-code-settings')
  link = await desk.id('guest-link').inputValue()
  assert.match(link, /^http:\/\/[^/]+\/g\/[0-9a-f]{32}#[\w-]{43}~[A-Z2-7]+$/)
})

step('a phone opens the guest page with it, and nothing of the invite stays', async () => {
  const invite = link.split('~')[1]
  phone = await scanned(link)
  assert.equal(await phone.page.evaluate(() => location.href), link.split('~')[0], 'the address has forgotten it')
  const kept = () =>
    phone.page.evaluate(async () => {
      const names = 'databases' in indexedDB ? (await indexedDB.databases()).map((one) => one.name) : []
      const caches = 'caches' in globalThis ? await globalThis.caches.keys() : []
      return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state, names, caches])
    })
  const sent = []
  phone.page.on('request', (request) => sent.push(`${request.url()} ${JSON.stringify(request.headers())} ${request.postData() ?? ''}`))
  await phone.id('name').fill('Mia')
  await phone.id('files').setInputFiles([{ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('x') }])
  await phone.id('private-link').waitFor()
  assert.ok(sent.length > 0 && !sent.join('\n').includes(invite), 'nothing of it is sent')
  assert.ok(!(await kept()).includes(invite), 'nothing of it is kept')
  assert.ok(!(await phone.id('private-link').innerText()).includes('~'), 'her own link is for her alone')
  for (const scheme of ['light', 'dark']) {
    await phone.page.emulateMedia({ colorScheme: scheme })
    flaws.push(...(await phone.flaws(`the guest page, ${scheme}`, `one-code-phone-${scheme}`)))
  }
  await phone.id('copy-member-link').click()
  assert.equal(await phone.id('member-link').inputValue(), link, 'to be handed over as it was scanned')
  await phone.id('said').getByText('Join an event').waitFor()
  flaws.push(...(await phone.flaws('the link to hand over', 'one-code-phone-copied')))
  // Once more without the invite: the page is the same but for that line.
  await phone.page.reload()
  await phone.page.locator('label[for=files]').waitFor()
  assert.equal(await phone.id('copy-member-link').count(), 0)
  assert.equal(await phone.id('name').inputValue(), 'Mia')
})

step('a node is told that a guests’ link is for phones, and joins with the code for both', async () => {
  await hers.go('/events')
  await hers.id('join-event').first().click()
  await hers.id('join-link').fill(link.split('~')[0])
  await hers.id('join-submit').click()
  await hers.id('join-problem').getByText('for phones').waitFor()
  await looks(hers, 'a link for phones', 'one-code-for-phones')
  await hers.id('join-link').fill(link)
  await hers.id('join-submit').click()
  await hers.id('waiting-state').getByText('Waiting for the host').waitFor()
  await desk.go(`/events/${event.id}`)
  await desk.id('admit').first().click()
  await waitUntil('her membership', async () => (await member.api('GET', `/events/${event.id}`)).role === 'member')
})

step('when the invite is withdrawn the poster says so, and guests come in as before', async () => {
  await desk.go(`/events/${event.id}`)
  await desk.id('invite-button').first().click()
  await desk.id('invite-dialog').getByText('2 valid invites').click()
  await desk.id('invite-dialog').getByText('on the poster').waitFor()
  await looks(desk, 'the invites with the one of the poster', 'one-code-invites')
  const { members } = await host.api('GET', `/events/${event.id}/guest-page`)
  await host.api('DELETE', `/events/${event.id}/invites/${members.invite}`)
  await desk.go(`/events/${event.id}/poster`)
  await desk.id('members-state').getByText('cannot join with this code any more').waitFor()
  assert.equal(await desk.id('poster-members').count(), 0)
  await looks(desk, 'a poster whose invite is over', 'one-code-over')
  const late = await scanned(link)
  await late.close()
  await desk.id('members-renew').click()
  await desk.id('members-state').getByText('10 more people can join').waitFor()
  await desk.id('members-tick').uncheck()
  await desk.id('members-state').waitFor({ state: 'detached' })
  assert.equal((await host.api('GET', `/events/${event.id}/guest-page`)).members, null)
})

step('nothing was wrong with any of these screens', () => {
  // Refused links are answers that the browser notes by itself.
  const unexpected = flaws.filter((flaw) => !/status of 422 .*\/events\/join$/.test(flaw))
  assert.deepEqual([...new Set(unexpected)], [])
})
