// Enrolment before the camera, and children, in the browser: who gets through, who does not and why, and what the holder is told.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Daemon, heads, sample, waitUntil } from './daemons.mjs'
import { openBrowser, PHONE, Screen } from './browser.mjs'

/** Chromium's own camera, which plays a film, and no question whether it may be used. */
const CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']

let pictures, folder, browser, holder, finder

before(async () => {
  pictures = heads()
  folder = mkdtempSync(join(tmpdir(), 'inframe-film-'))
  browser = await openBrowser()
  ;[holder, finder] = await Promise.all([Daemon.start('Host'), Daemon.start('Finder')])
  for (const daemon of [holder, finder]) {
    const { hash } = await daemon.api('GET', '/consent-texts/faces')
    await daemon.api('POST', '/profile/consent', { text_hash: hash })
  }
})

after(async () => {
  await browser?.close()
  await Promise.all([holder?.stop(), finder?.stop()])
  rmSync(folder, { recursive: true, force: true })
})

/** A signed-in page of `daemon`, with `prepare` run in it before the dashboard. */
async function open(daemon, options = {}, prepare, given, from = browser) {
  const screen = await Screen.open(from, daemon, options)
  // Every stream that the page ever got, to see whether it let go of the camera.
  await screen.page.addInitScript(() => {
    globalThis.streams = []
    const ask = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices)
    if (ask) {
      navigator.mediaDevices.getUserMedia = async (wish) => {
        const stream = await ask(wish)
        globalThis.streams.push(stream)
        return stream
      }
    }
  })
  if (prepare) await screen.page.addInitScript(prepare, given)
  const { url } = await daemon.api('POST', '/session/launch-links', {})
  await screen.page.goto(url)
  await screen.id('add-photos').or(screen.id('tile')).first().waitFor()
  await screen.go('/profile')
  return screen
}

/** A person before the camera who reads the page and does what it asks: a canvas whose picture follows the instruction. */
function person({ frames }) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 560, height: 560 })
  const context = canvas.getContext('2d')
  const images = Object.fromEntries(
    Object.entries(frames).map(([ask, base64]) => {
      // The page's policy lets it show pictures of its own making, and none from an address that holds them.
      const jpeg = new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type: 'image/jpeg' })
      return [ask, Object.assign(new Image(), { src: URL.createObjectURL(jpeg) })]
    }),
  )
  setInterval(() => {
    const asked = document.querySelector('[data-testid=camera-stage]')?.getAttribute('data-ask')
    context.drawImage(images[asked] ?? images.straight, 0, 0)
  }, 40)
  navigator.mediaDevices.getUserMedia = async () => {
    const stream = canvas.captureStream(25)
    globalThis.streams.push(stream)
    return stream
  }
}

const asBase64 = () => ({ frames: Object.fromEntries(Object.entries(pictures).map(([ask, bytes]) => [ask, bytes.toString('base64')])) })

/** Whether the page holds no camera. */
const cameraIsOff = (screen) =>
  screen.page.evaluate(() => globalThis.streams.length > 0 && globalThis.streams.every((stream) => stream.getTracks().every((track) => track.readyState === 'ended')))

const stage = (screen) => screen.id('camera-stage').getAttribute('data-stage')

test('a photo held before a real camera fails, and the camera goes off', { timeout: 180_000 }, async () => {
  const film = join(folder, 'photo.mjpeg')
  writeFileSync(film, Buffer.concat(Array(10).fill(pictures.straight)))
  const withCamera = await openBrowser([...CAMERA, `--use-file-for-fake-video-capture=${film}`])
  try {
    const screen = await open(finder, {}, undefined, undefined, withCamera)
    await screen.id('camera-open').click()
    await screen.picture('camera-intro')
    await screen.id('camera-start').click()
    await screen.id('camera-video').waitFor()
    await waitUntil('the first step', async () => ['left', 'right', 'up'].includes(await screen.id('camera-stage').getAttribute('data-ask')))
    await screen.picture('camera-turn')
    assert.deepEqual(await screen.axe(), [], 'accessibility while the camera runs')
    await screen.id('camera-failed').waitFor({ timeout: 90_000 })
    assert.match(await screen.id('camera-failed').textContent(), /A photo held before the camera does not work/)
    await screen.picture('camera-failed')
    assert.ok(await cameraIsOff(screen), 'the camera still runs')
    assert.equal((await finder.api('GET', '/profile')).enrolled, false)
    assert.deepEqual(screen.wrong, [])
  } finally {
    await withCamera.close()
  }
})

test('whoever does what the page asks is enrolled live, and the page says so', { timeout: 180_000 }, async () => {
  const screen = await open(finder, {}, person, asBase64())
  await screen.id('camera-open').click()
  assert.deepEqual(await screen.axe(), [], 'accessibility of the introduction')
  await screen.id('camera-start').click()
  await screen.id('camera-passed').waitFor({ timeout: 90_000 })
  await screen.picture('camera-passed')
  assert.ok(await cameraIsOff(screen), 'the camera still runs')
  await screen.id('camera-done').click()
  const me = await finder.api('GET', '/profile')
  assert.ok(me.enrolled && me.live, JSON.stringify(me))
  await waitUntil('live badges', async () => (await screen.page.locator('[data-testid=selfie][data-live=true]').count()) === me.selfies.length)
  assert.match(await screen.id('live-summary').first().textContent(), /Taken live/)
  await screen.settled()
  await screen.picture('profile-live')
  assert.deepEqual(screen.wrong, [])
  await screen.close()
})

test('the camera goes off and the try ends when the person leaves', { timeout: 60_000 }, async () => {
  const screen = await open(finder, {}, person, asBase64())
  await screen.id('camera-open').click()
  await screen.id('camera-start').click()
  await screen.id('camera-video').waitFor()
  await screen.id('camera-close').click()
  await waitUntil('the camera to go off', () => cameraIsOff(screen))
  await screen.close()
})

const TROUBLES = [
  ['denied', 'NotAllowedError'],
  ['missing', 'NotFoundError'],
  ['busy', 'NotReadableError'],
]
for (const [trouble, name] of TROUBLES) {
  test(`the page says what to do when the camera is ${trouble}`, { timeout: 60_000 }, async () => {
    const screen = await open(finder, {}, (name) => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', name))
    }, name)
    await screen.id('camera-open').click()
    await screen.id('camera-start').click()
    await waitUntil(trouble, async () => (await screen.id('camera-trouble').getAttribute('data-trouble')) === trouble)
    assert.equal(await stage(screen), 'trouble')
    assert.deepEqual(await screen.axe(), [])
    await screen.picture(`camera-${trouble}`)
    await screen.close()
  })
}

test('a browser without any camera says so by itself', { timeout: 60_000 }, async () => {
  const bare = await openBrowser(['--use-fake-ui-for-media-stream'])
  try {
    const screen = await open(finder, {}, undefined, undefined, bare)
    await screen.id('camera-open').click()
    await screen.id('camera-start').click()
    await screen.id('camera-trouble').waitFor()
    assert.equal(await screen.id('camera-trouble').getAttribute('data-trouble'), 'missing')
  } finally {
    await bare.close()
  }
})

test('over plain HTTP from elsewhere the camera is not offered, files are', { timeout: 60_000 }, async () => {
  const screen = await open(finder, {}, () => Object.defineProperty(globalThis, 'isSecureContext', { value: false }))
  await screen.id('camera-open').click()
  assert.equal(await screen.id('camera-trouble').getAttribute('data-trouble'), 'insecure')
  assert.equal(await screen.id('camera-start').count(), 0)
  await screen.picture('camera-insecure')
  await screen.id('camera-close').click()
  assert.ok(await screen.id('selfie-input').isEnabled())
  await screen.close()
})

let event

test('a guardian declares, names, adds a picture, and announces the child; the holder is told all of it', { timeout: 180_000 }, async () => {
  const theirs = await open(holder)
  const hers = await open(finder)
  event = await holder.api('POST', '/events', { name: 'Summer party' })
  await holder.api('PATCH', `/events/${event.id}`, { scope: 'chosen', policy: 'automatic', admit_automatically: true })
  const invite = await holder.api('POST', `/events/${event.id}/invites`, {})
  await finder.api('POST', '/events/join', { link: invite.link })
  await waitUntil('her membership', async () => (await finder.api('GET', '/events'))[0]?.role === 'member')

  await hers.id('child-add').click()
  await hers.id('child-name').fill('Younger')
  assert.ok(await hers.id('child-submit').isDisabled(), 'no profile before the declaration')
  await hers.picture('child-declaration')
  assert.deepEqual(await hers.axe(), [], 'accessibility of the declaration')
  await hers.id('consent-tick').check()
  await hers.id('child-submit').click()
  await hers.id('child-input').setInputFiles({ name: 'child.jpg', mimeType: 'image/jpeg', buffer: sample(2) })
  await hers.id('selfie-advice').waitFor()
  assert.match(await hers.id('selfie-advice').textContent(), /faces were found/, 'several faces are refused with advice')
  await hers.picture('child-advice')
  await hers.id('child-input').setInputFiles({ name: 'child.jpg', mimeType: 'image/jpeg', buffer: pictures.straight })
  const child = await waitUntil('the picture', async () => (await finder.api('GET', '/profiles')).find((one) => one.subject === 'child' && one.enrolled))
  assert.equal(child.live, false)

  await hers.go(`/events/${event.id}`)
  await hers.id('find-child').click()
  await hers.id('announce-not-live').waitFor()
  await hers.id('consent-tick').check()
  await hers.picture('child-announce')
  await hers.id('announce').click()
  await waitUntil('the find-me', async () => (await finder.api('GET', `/events/${event.id}`)).find_mes.length === 1)

  const { asset } = await holder.api('POST', '/uploads?name=terrace.jpg', sample(1))
  await holder.api('POST', `/events/${event.id}/assets`, { assets: [asset] })
  await waitUntil('the question', async () => (await holder.api('GET', '/approvals?state=waiting'))[0])
  await theirs.go('/approvals')
  const told = theirs.id('approval-live')
  await told.waitFor()
  assert.equal(await told.getAttribute('data-live'), 'false')
  assert.match(await told.textContent(), /Not taken live: could be anybody’s photo/)
  await theirs.id('approval-child').waitFor()
  assert.match(await theirs.id('approval-margin').textContent(), /^Difference \d+\.\d\d, next best \d+\.\d\d/)
  assert.equal(await theirs.id('approval-always').count(), 0, 'a child is asked about each time')
  assert.equal(await theirs.page.getByText('Younger').count(), 0, 'the name never leaves the guardian’s node')
  await theirs.settled()
  await theirs.picture('approval-child')
  assert.deepEqual(await theirs.axe(), [], 'accessibility of the question')

  await hers.go('/profile')
  const [receipts] = await Promise.all([hers.page.waitForEvent('download'), hers.id('receipts').click()])
  assert.equal(receipts.suggestedFilename(), 'inframe-consents.json')
  assert.deepEqual([...theirs.wrong, ...hers.wrong.filter((line) => !line.includes('422'))], [])
  await Promise.all([theirs.close(), hers.close()])
})

for (const scheme of ['light', 'dark']) {
  for (const [name, options] of [['desktop', {}], ['phone', { viewport: PHONE, deviceScaleFactor: 2, hasTouch: true, isMobile: true }]]) {
    test(`the new screens are accessible and fit: ${name}, ${scheme}`, { timeout: 120_000 }, async () => {
      const found = []
      const look = async (screen, label) => found.push(...(await screen.flaws(label, `${label}-${name}-${scheme}`)))
      const hers = await open(finder, { ...options, colorScheme: scheme, reducedMotion: 'reduce' }, person, asBase64())
      await hers.id('selfie').first().waitFor()
      await look(hers, 'profiles')
      await hers.id('camera-open').first().click()
      await look(hers, 'camera-intro')
      await hers.id('camera-start').click()
      await waitUntil('a turn', async () => ['left', 'right', 'up'].includes(await hers.id('camera-stage').getAttribute('data-ask')))
      await look(hers, 'camera-turn')
      await hers.id('camera-close').click()
      await hers.go(`/events/${event.id}`)
      await hers.id('find-me-card').waitFor()
      await look(hers, 'event-child')
      const theirs = await open(holder, { ...options, colorScheme: scheme })
      await theirs.go('/approvals')
      await theirs.id('approval-live').waitFor()
      await look(theirs, 'approval-child')
      await Promise.all([hers.close(), theirs.close()])
      assert.deepEqual(found, [])
    })
  }
}
