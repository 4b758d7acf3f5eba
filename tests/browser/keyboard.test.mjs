// Whole flows with nothing but the keyboard: each stop shows where one is, nothing holds on to the focus, and dialogs give it back.

import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Daemon, sample, waitUntil } from './daemons.mjs'
import { cut, openBrowser, Screen, steps } from './browser.mjs'

/** Head and shoulders of the woman at the right of the first sample, who is in the third as well. */
const HER_SELFIE = { x: 1330, y: 90, width: 540, height: 560 }
/** More stops than any page has. */
const MOST_STOPS = 150
const PLACES = ['photos', 'events', 'people', 'approvals', 'profile', 'transfers', 'activity', 'trash', 'settings']

let browser, node, finder, screen, keyboard, selfie, event

before(async () => {
  browser = await openBrowser()
  ;[node, finder] = await Promise.all([Daemon.startNew('Quiet Heron'), Daemon.start('Misty Otter')])
  selfie = await cut(browser, sample(1), HER_SELFIE)
  screen = await Screen.open(browser, node)
  keyboard = screen.page.keyboard
  // Somebody who listens all the time: a dialog that opens before is not seen.
  screen.page.on('filechooser', () => {})
})

after(async () => {
  await browser?.close()
  await Promise.all([node?.stop(), finder?.stop()])
})

const step = steps(() => screen.picture('failed-keyboard'))

/** Where the focus is: a name for it, and whether a person sees it there. Null where the browser's own bars have it. */
function focused() {
  return screen.page.evaluate(() => {
    const element = document.activeElement
    if (!element || element === document.body || element === document.documentElement) return null
    globalThis.stops ??= new Map()
    if (!globalThis.stops.has(element)) globalThis.stops.set(element, globalThis.stops.size)
    // What is drawn in place of a native field, such as a label around a hidden radio button, shows the focus for it.
    const drawn = [element, element.closest('label'), element.nextElementSibling, element.parentElement].filter(Boolean)
    const visible = drawn.some((one) => {
      const { outlineStyle, outlineWidth, outlineColor, boxShadow, opacity } = getComputedStyle(one)
      const ringed = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1 && !/, 0\)$|transparent/.test(outlineColor)
      const { width, height, bottom, right, top, left } = one.getBoundingClientRect()
      const inSight = width > 2 && height > 2 && bottom > 0 && right > 0 && top < innerHeight && left < innerWidth
      return inSight && opacity !== '0' && (ringed || (one === element && boxShadow !== 'none' && element.matches('input, select, textarea')))
    })
    const words = element.getAttribute('aria-label') ?? element.textContent.trim().slice(0, 30)
    return { number: globalThis.stops.get(element), testid: element.dataset.testid ?? '', name: `${element.tagName.toLowerCase()}[${element.dataset.testid ?? element.getAttribute('href') ?? ''}] ${words}`, visible }
  })
}

/** One stop further; what has the focus then is seen to have it. */
async function tab(key = 'Tab') {
  await keyboard.press(key)
  const stop = await focused()
  assert.ok(stop === null || stop.visible, `no sign of the focus on ${stop?.name} at ${screen.page.url()}`)
  return stop
}

/** On with Tab to a part of the page. */
async function to(testid, key = 'Tab') {
  const passed = []
  if ((await focused())?.testid === testid) return
  for (let n = 0; n < MOST_STOPS; n++) {
    const stop = await tab(key)
    if (stop?.testid === testid) return
    passed.push(stop?.name ?? '-')
  }
  assert.fail(`${testid} is not reached; passed: ${passed.join(', ')}`)
}

/** On with Tab to a part of the page, and Enter there. */
async function press(testid, key = 'Enter') {
  await screen.id(testid).first().waitFor({ state: 'attached' })
  await to(testid)
  await keyboard.press(key)
}

/** The same where it opens the system's dialog for files. */
async function choose(testid, files, key = 'Enter') {
  await screen.id(testid).first().waitFor({ state: 'attached' })
  await to(testid)
  const chooser = screen.page.waitForEvent('filechooser')
  await keyboard.press(key)
  await (await chooser).setFiles(files)
}

const jpeg = (name, buffer) => ({ name, mimeType: 'image/jpeg', buffer })

step('the first steps', async () => {
  await screen.page.goto(node.ready.launch)
  await waitUntil('the name', async () => (await screen.id('welcome-nickname').inputValue()) === 'Quiet Heron')
  await to('welcome-nickname')
  await keyboard.press('Control+A')
  await keyboard.type('Amber Finch')
  await keyboard.press('Enter')
  await screen.id('welcome-keys').waitFor()
  await to('welcome-key-file')
  await keyboard.press('ArrowDown')
  await screen.id('welcome-new').waitFor()
  await keyboard.press('ArrowUp')
  await press('welcome-next')
  await screen.id('welcome-sheet').waitFor()
  await press('welcome-skip')
  await screen.id('welcome-photos').waitFor()
  await press('welcome-skip')
  await screen.id('nav-photos').first().waitFor()
  assert.equal((await node.api('GET', '/settings')).nickname, 'Amber Finch')
})

step('a photo is added', async () => {
  await choose('add-photos', jpeg('terrace.jpg', sample(3)))
  await screen.id('tile').first().waitFor()
})

step('consent is given and a selfie enrolled', async () => {
  await press('nav-profile')
  await press('consent-tick', 'Space')
  await press('consent-submit')
  await choose('selfie-input', jpeg('me.jpg', selfie))
  await waitUntil('the enrolment', async () => (await node.api('GET', '/profile')).enrolled)
})

step('an event is made, and the dialog of invites opens, keeps the focus inside, closes and gives it back', async () => {
  await press('nav-events')
  await press('create-event')
  await screen.id('event-name').waitFor()
  await to('event-name')
  await keyboard.type('Summer party')
  await keyboard.press('Enter')
  await screen.id('invite-button').waitFor()
  event = (await node.api('GET', '/events'))[0]
  await press('invite-button')
  await screen.id('invite-link').waitFor()
  for (let n = 0; n < 20; n++) {
    await tab(n < 15 ? 'Tab' : 'Shift+Tab')
    const within = await screen.page.evaluate(() => document.activeElement === document.body || document.activeElement.closest('dialog[open]') !== null)
    assert.ok(within, 'the focus is behind the dialog')
  }
  await to('copy-link')
  await keyboard.press('Escape')
  await screen.id('invite-link').waitFor({ state: 'detached' })
  assert.equal((await focused())?.testid, 'invite-button', 'the focus is back where it was')
})

step('somebody who asks to join is let in', async () => {
  const { link } = await node.api('POST', `/events/${event.id}/invites`, {})
  await finder.api('POST', '/events/join', { link })
  await press('admit')
  await waitUntil('the membership', async () => (await finder.api('GET', '/events'))[0]?.role === 'member')
})

step('a question about a photo is answered with yes', async () => {
  const texts = {}
  for (const scope of ['faces', 'announce']) texts[scope] = (await finder.api('GET', `/consent-texts/${scope}`)).hash
  await finder.api('POST', '/profile/consent', { text_hash: texts.faces })
  await finder.api('POST', '/profiles/me/selfies', selfie)
  await finder.api('PUT', `/events/${event.id}/find-me`, { hours: 24, text_hash: texts.announce })
  await node.api('PATCH', `/events/${event.id}`, { scope: 'all', policy: 'ask' })
  await waitUntil('the question', async () => (await node.api('GET', '/approvals?state=waiting')).length > 0)
  await press('nav-approvals')
  await press('approval-allow')
  await waitUntil('the photo at hers', async () => (await finder.api('GET', '/status')).asset_count === 1)
})

step('a photo opens, shows its details, closes, and the focus is on its tile again', async () => {
  await press('nav-photos')
  await press('tile')
  await screen.id('photo').first().waitFor()
  const shown = await screen.id('details').count()
  await press('details-toggle')
  await waitUntil('the details to come or go', async () => (await screen.id('details').count()) !== shown)
  await keyboard.press('Escape')
  if ((await screen.id('photo-view').count()) > 0) await keyboard.press('Escape')
  await screen.id('photo-view').waitFor({ state: 'detached' })
  // It comes back in a frame of its own, after the view has gone.
  await waitUntil('the focus on the tile', async () => (await focused())?.testid === 'tile', 5_000)
})

step('settings are changed, and the dialog that erases everything is left again', async () => {
  await press('nav-settings')
  await screen.id('nickname').waitFor()
  await to('nickname')
  await keyboard.press('Control+A')
  await keyboard.type('Amber Wren')
  await press('settings-save')
  await waitUntil('the name', async () => (await node.api('GET', '/settings')).nickname === 'Amber Wren')
  await press('erase-open')
  await screen.id('erase-words').waitFor()
  await keyboard.press('Escape')
  await screen.id('erase-words').waitFor({ state: 'detached' })
  assert.equal((await focused())?.testid, 'erase-open')
})

step('on every page the way with Tab ends, shows each stop, and leads back with Shift+Tab', async () => {
  for (const place of [...PLACES, `events/${event.id}`, 'doctor']) {
    await screen.go(`/${place}`)
    await screen.page.locator('main h1').first().waitFor()
    await screen.settled()
    const way = []
    for (let n = 0; n < MOST_STOPS; n++) {
      const stop = await tab()
      // The browser's own bars, or the first stop again: once around.
      if (stop === null || way.includes(stop.number)) break
      way.push(stop.number)
    }
    assert.ok(way.length > 8 && way.length < MOST_STOPS, `${place}: ${way.length} stops`)
    // The browser's own bars are passed on the way back too.
    const back = []
    for (let n = 0; n < 4; n++) back.push((await tab('Shift+Tab'))?.number)
    const stops = new Set(back.filter((number) => way.includes(number)))
    assert.ok(stops.size >= 2, `${place}: the way back leads nowhere: ${back} of ${way}`)
  }
})

step('nothing went wrong on the way', () => assert.deepEqual(screen.wrong, []))
