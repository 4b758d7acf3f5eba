// Videos and files in the browser: they come without a reload, play, and fit; the settings beside them: model packs and what is confined.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Daemon, SAMPLES, waitUntil } from './daemons.mjs'
import { DESKTOP, openBrowser, PHONE, Screen, SCREENSHOTS } from './browser.mjs'

let browser, node, screen, folder
const ids = {}

/** A film of two sample photos, three seconds each. */
function film(name, codec) {
  const path = join(folder, name)
  const size = 'scale=1280:720:force_original_aspect_ratio=increase,crop=1280:720,setsar=1,fps=25'
  const inputs = [1, 3].flatMap((number) => ['-loop', '1', '-t', '3', '-i', join(SAMPLES, `sample${number}.jpg`)])
  const joined = ['-filter_complex', `[0:v]${size}[a];[1:v]${size}[b];[a][b]concat=n=2[v]`, '-map', '[v]', '-pix_fmt', 'yuv420p']
  execFileSync('ffmpeg', ['-loglevel', 'error', '-nostdin', '-y', ...inputs, ...joined, ...codec, path])
  return readFileSync(path)
}

const asset = (id) => node.api('GET', `/assets/${id}`)
const upload = async (name, bytes) => (await node.api('POST', `/uploads?name=${name}`, bytes)).asset

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'inframe-films-'))
  browser = await openBrowser()
  node = await Daemon.start('Node')
  const { hash } = await node.api('GET', '/consent-texts/faces')
  await node.api('POST', '/profile/consent', { text_hash: hash })
  screen = await Screen.open(browser, node)
  await screen.page.goto(node.ready.launch)
  await screen.id('add-photos').first().waitFor()
})

after(async () => {
  await browser?.close()
  await node?.stop()
  rmSync(folder, { recursive: true, force: true })
  console.log(`pictures of the screens: ${SCREENSHOTS}`)
})

test('videos and files come without a reload, and a tile says what it is', async () => {
  await screen.page.evaluate(() => (globalThis.notReloaded = true))
  ids.mp4 = await upload('party.mp4', film('party.mp4', ['-c:v', 'libx264', '-preset', 'veryfast']))
  // A browser does not play this one as it is.
  ids.mkv = await upload('old.mkv', film('old.mkv', ['-c:v', 'mpeg4', '-q:v', '5']))
  ids.file = await upload('notes.jpg', Buffer.from('no photo at all\n'.repeat(100)))
  await waitUntil('both videos', async () => (await screen.page.getByRole('link', { name: /Video of 0:06/ }).count()) === 2)
  await screen.page.getByRole('link', { name: /File, / }).waitFor()
  await waitUntil('faces and copies', async () => {
    const videos = await Promise.all([asset(ids.mp4), asset(ids.mkv)])
    return videos.every(({ faces_state, video }) => faces_state === 'done' && video.playable === 'ready')
  })
  assert.equal(await screen.page.evaluate(() => globalThis.notReloaded), true, 'the page was reloaded')
})

for (const name of ['mp4', 'mkv']) {
  test(`the video plays, and a press on a person shows them: ${name}`, async () => {
    await screen.go(`/photo/${ids[name]}`)
    const video = screen.id('video')
    await video.waitFor()
    const at = await video.evaluate(async (element) => {
      element.muted = true
      await element.play()
      await new Promise((passed) => setTimeout(passed, 700))
      element.pause()
      return [element.currentTime, element.videoWidth, element.videoHeight]
    })
    assert.ok(at[0] > 0.2, `it stands at ${at[0]} s`)
    assert.deepEqual(at.slice(1), [1280, 720])
    const { faces } = await asset(ids[name])
    assert.ok(faces.length >= 4, `${faces.length} people`)
    // A jump to the end is a request for a part.
    const end = await video.evaluate((element) => new Promise((seeked) => {
      element.onseeked = () => seeked(element.currentTime)
      element.currentTime = 5.5
    }))
    assert.ok(Math.abs(end - 5.5) < 0.1, `it stands at ${end} s`)
  })
}

for (const [name, options] of [['desktop', { viewport: DESKTOP }], ['phone', { viewport: PHONE, hasTouch: true, isMobile: true }]]) {
  for (const scheme of ['light', 'dark']) {
    test(`videos, files, model packs are accessible and fit: ${name}, ${scheme}`, async () => {
      const other = await Screen.open(browser, node, { ...options, colorScheme: scheme })
      const { url } = await node.api('POST', '/session/launch-links', {})
      await other.page.goto(url)
      await other.id('tile').first().waitFor()
      const found = []
      for (const [label, path, ready] of [
        ['timeline', '/', 'tile'],
        ['video', `/photo/${ids.mp4}`, 'video'],
        ['file', `/photo/${ids.file}`, 'file-view'],
        ['models', '/settings#models', 'models'],
      ]) {
        await other.go(path)
        await other.id(ready).first().waitFor()
        if (label === 'models') await other.id('models').scrollIntoViewIfNeeded()
        found.push(...(await other.flaws(path, `videos-${label}-${name}-${scheme}`)))
      }
      await other.close()
      assert.deepEqual(found, [])
    })
  }
}

test('nothing went wrong on the way: no policy violation, no error, no outside request', () => {
  assert.deepEqual(screen.wrong, [])
})
