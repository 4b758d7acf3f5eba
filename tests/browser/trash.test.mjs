// The trash in the browser: a photo is moved there and brought back, one or several are deleted for good; and what a full disk looks like.

import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Daemon, sample, waitUntil } from './daemons.mjs'
import { cut, openBrowser, PHONE, Screen, SCREENSHOTS, steps } from './browser.mjs'

/** Parts of one photo, each a photo of its own. */
const PARTS = [0, 1, 2, 3, 4].map((step) => ({ x: 40 * step, y: 10 * step, width: 1200 - 60 * step, height: 800 + 30 * step }))
/** More than any disk has. */
const ALL_OF_IT = '1000TB'

let browser, node, full, screen

before(async () => {
  browser = await openBrowser()
  ;[node, full] = await Promise.all([Daemon.start('Node'), Daemon.start('Node', ['--keep-free', ALL_OF_IT])])
  await node.api('POST', '/uploads?name=letter.pdf', Buffer.from('no picture at all'))
  for (const [number, part] of PARTS.entries()) await node.api('POST', `/uploads?name=IMG_${number}.jpg`, await cut(browser, sample(2), part))
  screen = await Screen.open(browser, node)
  await screen.page.goto(node.ready.launch)
  await screen.id('tile').first().waitFor()
})

after(async () => {
  await browser?.close()
  await Promise.all([node?.stop(), full?.stop()])
  console.log(`pictures of the screens: ${SCREENSHOTS}`)
})

const step = steps(() => screen.picture('failed-trash'))

const trash = () => node.api('GET', '/trash')
const tiles = async (count) => waitUntil(`${count} tiles`, async () => (await screen.id('tile').count()) === count)
const inTrash = async (count) => waitUntil(`${count} in the trash`, async () => (await screen.id('trash-item').count()) === count)

step('an empty trash says what it is for', async () => {
  await tiles(6)
  await screen.page.getByRole('link', { name: 'Trash' }).first().click()
  await screen.id('trash-nothing').waitFor()
  assert.deepEqual(await screen.flaws('empty trash', 'trash-nothing'), [])
})

step('a photo is moved there from its view, the next one follows, and a press undoes it', async () => {
  await screen.go('/photos')
  await screen.id('tile').first().click()
  await screen.id('photo').waitFor()
  const first = new URL(screen.page.url()).pathname
  await screen.id('trash').click()
  await screen.id('notice').waitFor()
  assert.match(await screen.id('notice').innerText(), /is in the trash. It can be restored for 30 days/)
  await waitUntil('the next photo', () => new URL(screen.page.url()).pathname !== first)
  await screen.id('photo').waitFor()
  assert.equal((await trash()).total, 1)
  await screen.settled()
  await screen.picture('trash-undo')
  await screen.id('notice-action').click()
  await waitUntil('an empty trash', async () => (await trash()).total === 0)
  await waitUntil('the photo before again', async () => (await screen.id('previous').count()) === 1)
  await screen.id('previous').click()
  await waitUntil('the photo', () => new URL(screen.page.url()).pathname === first)
})

step('the key does it as well, until nothing is left but the timeline', async () => {
  for (let left = 6; left > 0; left--) {
    const before = screen.page.url()
    // A press is for the photo that is shown, so it has to be.
    const [, id] = /\/photo\/([0-9a-f]+)/.exec(before)
    await waitUntil('its details', async () => (await screen.id('download').count()) === 1 && (await screen.id('download').getAttribute('href')).includes(id))
    await screen.page.keyboard.press('Delete')
    await waitUntil('another view', () => screen.page.url() !== before)
    await waitUntil('one less', async () => (await trash()).total === 7 - left)
  }
  await tiles(0)
  // What the page asks anew about a photo may cross with its deletion; the browser writes such answers into its console by itself.
  screen.wrong = screen.wrong.filter((line) => !/ 404 .*\/api\/v1\/assets\/[0-9a-f]+$/.test(line))
  assert.equal((await node.api('GET', '/status')).asset_count, 0)
})

step('the trash shows them with the days that are left, and one by one', async () => {
  await screen.go('/trash')
  await inTrash(6)
  assert.match(await screen.id('trash-total').innerText(), /^6 photos · /)
  assert.equal(await screen.page.getByText('30 days', { exact: true }).count(), 6)
  assert.deepEqual(await screen.flaws('trash', 'trash'), [])
  await screen.page.locator('[data-testid=trash-item]', { has: screen.page.locator('img') }).first().click()
  await screen.id('trash-open').waitFor()
  await waitUntil('its picture', () => screen.page.evaluate(() => document.querySelector('[data-testid=trash-open] img').naturalWidth > 0))
  assert.deepEqual(await screen.flaws('a photo of the trash', 'trash-open'), [])
  await screen.id('trash-open-restore').click()
  await inTrash(5)
  assert.equal((await node.api('GET', '/status')).asset_count, 1)
})

step('several are restored at once', async () => {
  await screen.id('trash-select').click()
  await screen.id('trash-item').nth(0).click()
  await screen.id('trash-item').nth(1).click()
  await screen.page.getByText('2 chosen').waitFor()
  assert.deepEqual(await screen.flaws('choosing in the trash', 'trash-choosing'), [])
  await screen.id('trash-restore').click()
  await screen.page.getByText('2 photos restored.').waitFor()
  await inTrash(3)
  assert.equal((await trash()).total, 3)
})

step('deleting for good is asked about first', async () => {
  await screen.id('trash-select').click()
  await screen.id('trash-item').first().click()
  await screen.id('trash-purge').click()
  await screen.id('trash-confirm').waitFor()
  assert.deepEqual(await screen.flaws('the question', 'trash-confirm'), [])
  await screen.page.getByRole('button', { name: 'Keep' }).click()
  assert.equal((await trash()).total, 3, 'nothing is deleted without a yes')
  await screen.id('trash-purge').click()
  await screen.id('trash-confirm-purge').click()
  await screen.page.getByText('1 photo deleted for good.').waitFor()
  await inTrash(2)
})

step('and so is emptying the trash', async () => {
  await screen.id('trash-empty').click()
  await screen.page.getByRole('heading', { name: 'Delete 2 photos for good?' }).waitFor()
  await screen.id('trash-confirm-purge').click()
  await screen.id('trash-nothing').waitFor()
  await waitUntil('everything erased', async () => (await trash()).erasing === 0)
  assert.equal((await node.api('GET', '/status')).asset_count, 3)
})

step('a photo added again comes back from the trash, and the tray says so', async () => {
  const asset = (await node.api('POST', '/uploads?name=again.jpg', sample(5))).asset
  await node.api('DELETE', `/assets/${asset}`)
  await screen.id('file-input').setInputFiles({ name: 'again.jpg', mimeType: 'image/jpeg', buffer: sample(5) })
  await screen.id('upload-tray').getByText('1 photo restored from the trash').waitFor()
  await screen.id('upload-close').click()
})

step('the screens hold on a phone and in the dark', async () => {
  for (const number of [6, 7, 8, 9]) {
    const { asset } = await node.api('POST', `/uploads?name=IMG_${number}.jpg`, await cut(browser, sample(4), { x: 10 * number, y: 0, width: 900, height: 700 }))
    await node.api('DELETE', `/assets/${asset}`)
  }
  const wrong = []
  for (const [name, options] of [['phone', { viewport: PHONE }], ['phone-dark', { viewport: PHONE, colorScheme: 'dark' }], ['dark', { colorScheme: 'dark' }]]) {
    const other = await Screen.open(browser, node, options)
    const { url } = await node.api('POST', '/session/launch-links', {})
    await other.page.goto(url)
    await other.id('tile').first().waitFor()
    await other.id('tile').first().click()
    await other.id('photo').waitFor()
    wrong.push(...(await other.flaws(`photo, ${name}`, `trash-photo-${name}`)))
    await other.go('/trash')
    await other.id('trash-item').first().waitFor()
    wrong.push(...(await other.flaws(`trash, ${name}`, `trash-${name}`)))
    await other.id('trash-select').click()
    await other.id('trash-item').first().click()
    wrong.push(...(await other.flaws(`choosing, ${name}`, `trash-choosing-${name}`)))
    await other.id('trash-select').click()
    await other.id('trash-item').first().click()
    await other.id('trash-open').waitFor()
    wrong.push(...(await other.flaws(`open, ${name}`, `trash-open-${name}`)))
    await other.close()
  }
  assert.deepEqual(wrong, [])
})

step('a disk that is almost full is said plainly, and a photo is refused with the reason', async () => {
  const wrong = []
  for (const [name, options] of [['desktop', {}], ['phone-dark', { viewport: PHONE, colorScheme: 'dark' }]]) {
    const other = await Screen.open(browser, full, options)
    const { url } = await full.api('POST', '/session/launch-links', {})
    await other.page.goto(url)
    await other.id('disk-low').waitFor()
    await other.id('file-input').setInputFiles({ name: 'party.jpg', mimeType: 'image/jpeg', buffer: sample(5) })
    const problems = other.id('upload-problems')
    await problems.waitFor()
    assert.match(await problems.innerText(), /The disk is almost full: .+ free, .+ needed/)
    // The browser writes refused requests into its console by itself.
    other.wrong = other.wrong.filter((line) => !line.includes('507'))
    wrong.push(...(await other.flaws(`full disk, ${name}`, `disk-low-${name}`)))
    await other.close()
  }
  assert.deepEqual(wrong, [])
})
