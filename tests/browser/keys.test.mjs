// The vault in the browser: a passphrase, a recovery sheet, locked, unlocked, backed up, exported.

import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before } from 'node:test'
import { Daemon, sample, waitUntil } from './daemons.mjs'
import { openBrowser, PHONE, Screen, steps } from './browser.mjs'

const PASSPHRASE = 'lamps over a quiet harbour'

let browser, node, mine, words

before(async () => {
  browser = await openBrowser()
  node = await Daemon.start('Node')
  mine = await Screen.open(browser, node)
  await mine.page.goto(node.ready.launch)
  await mine.id('add-photos').first().waitFor()
  await mine.id('file-input').setInputFiles({ name: 'party.jpg', mimeType: 'image/jpeg', buffer: sample(2) })
  await mine.id('tile').first().waitFor()
})

after(async () => {
  await browser?.close()
  await node?.stop()
})

const step = steps(() => mine?.picture('failed-keys'))

/** What the page says about one way to unlock. */
const way = (name) => mine.page.locator(`[data-testid=way][data-way=${name}]`)

step('the settings say what the key file means and that a recovery sheet is missing', async () => {
  await mine.go('/settings?at=keys')
  await way('key-file').waitFor()
  assert.equal(await way('passphrase').getAttribute('data-there'), 'false')
  await mine.id('no-recovery').waitFor()
  assert.equal(await mine.id('remove-key-file').count(), 0, 'the only way cannot be removed')
})

step('a passphrase is set; two that differ and one that is too short are refused', async () => {
  await mine.id('set-passphrase').click()
  await mine.id('keys-new').fill(PASSPHRASE)
  await mine.id('keys-again').fill(`${PASSPHRASE}s`)
  await mine.id('keys-submit').click()
  await mine.id('keys-problem').getByText('not the same').waitFor()
  for (const field of ['keys-new', 'keys-again']) await mine.id(field).fill('short')
  await mine.id('keys-submit').click()
  await mine.id('keys-problem').getByText('at least').waitFor()
  await mine.picture('keys-passphrase')
  for (const field of ['keys-new', 'keys-again']) await mine.id(field).fill(PASSPHRASE)
  await mine.id('keys-submit').click()
  await waitUntil('the passphrase', async () => (await way('passphrase').getAttribute('data-there')) === 'true')
})

step('a recovery sheet is shown once and three of its words are asked back', async () => {
  await mine.id('set-recovery').click()
  await mine.id('keys-submit').click()
  await mine.id('sheet').waitFor()
  words = await mine.id('sheet').locator('li strong').allInnerTexts()
  assert.equal(words.length, 24)
  await mine.picture('recovery-sheet')
  await mine.id('sheet-next').click()
  for (const field of await mine.id('sheet-word').all()) await field.fill('harbour')
  await mine.id('sheet-keep').click()
  await mine.id('sheet-problem').waitFor()
  for (const field of await mine.id('sheet-word').all()) await field.fill(words[Number(await field.getAttribute('data-number')) - 1])
  await mine.id('sheet-keep').click()
  await waitUntil('the sheet', async () => (await way('recovery').getAttribute('data-there')) === 'true')
  assert.equal(await mine.id('no-recovery').count(), 0)
})

step('a backup is made to a folder, and a folder that is not there is refused', async () => {
  const disk = join(dirname(dirname(node.socket)), 'disk')
  await mine.id('backup-path').fill(disk)
  await mine.id('backup-set').click()
  await mine.id('backup-refused').waitFor()
  mkdirSync(disk)
  await mine.id('backup-set').click()
  await mine.id('backup-folder').getByText(disk).waitFor()
  await waitUntil('the first backup', async () => /\d+ files?/.test(await mine.id('backup-last').innerText()))
  await mine.picture('settings-keys')
})

step('every file is checked; what is missing is named, and mended from the backup or the original', async () => {
  await waitUntil('nothing at work', async () => (await node.api('GET', '/backup')).running === null)
  await mine.id('verify-run').click()
  await mine.id('verify-outcome').getByText('All sound').waitFor()
  assert.deepEqual(await mine.axe(), [])
  const blobs = join(node.folder, 'data/blobs')
  const files = readdirSync(blobs, { recursive: true }).map((name) => join(blobs, name)).filter((path) => statSync(path).isFile())
  assert.equal(files.length, 3)
  files.forEach((file) => rmSync(file))
  await mine.id('verify-run').click()
  await mine.id('verify-damaged').getByText('the file itself: it is missing').waitFor()
  assert.deepEqual(await mine.axe(), [])
  await mine.id('verify').scrollIntoViewIfNeeded()
  await mine.picture('verify-damaged')
  const size = mine.page.viewportSize()
  await mine.page.setViewportSize({ width: 390, height: 844 })
  await mine.page.emulateMedia({ colorScheme: 'dark' })
  await mine.id('verify').scrollIntoViewIfNeeded()
  await mine.settled()
  assert.deepEqual(await mine.axe(), [])
  await mine.picture('verify-damaged-phone-dark')
  await mine.page.emulateMedia({ colorScheme: 'light' })
  await mine.page.setViewportSize(size)
  await mine.id('verify-repair').click()
  await mine.id('verify-outcome').getByText('3 mended').waitFor()
  assert.equal(await mine.id('verify-damaged').count(), 0)
})

step('an export says that it is plain, refuses a folder that is not there, and writes the photo as it was', async () => {
  await mine.id('export').getByText('not encrypted').waitFor()
  const disk = join(node.folder, 'plain')
  await mine.id('export-path').fill(disk)
  await mine.id('export-start').click()
  await mine.id('export-refused').waitFor()
  mkdirSync(disk)
  await mine.id('export-start').click()
  await mine.id('export-folder').getByText(disk, { exact: true }).waitFor()
  await waitUntil('the first export', async () => /1 file, .*all new/.test(await mine.id('export-result').innerText()))
  const root = join(disk, 'inframe-export')
  const files = readdirSync(root, { recursive: true }).filter((name) => name.endsWith('.jpg'))
  assert.equal(files.length, 1)
  assert.deepEqual(readFileSync(join(root, files[0])), sample(2))
  const list = join(root, 'inframe-export.json')
  assert.equal(JSON.parse(readFileSync(list, 'utf8')).files[0].path, files[0])
  await mine.id('export-again').click()
  await waitUntil('the second export', async () => /1 file, .*0 new/.test(await mine.id('export-result').innerText()))
  // What is in the way is said, and once it is gone the export goes on.
  writeFileSync(list, 'something else')
  await mine.id('export-again').click()
  await mine.id('export-refused').getByText('move it away').waitFor()
  for (const look of [{ colorScheme: 'light' }, { colorScheme: 'dark', viewport: PHONE }]) {
    const screen = await Screen.open(browser, node, look)
    await screen.page.goto((await node.api('POST', '/session/launch-links', {})).url)
    await screen.id('tile').first().waitFor()
    await screen.go('/settings?at=export')
    await screen.id('export-result').waitFor()
    await screen.id('export').scrollIntoViewIfNeeded()
    assert.deepEqual(await screen.flaws('settings', `settings-export-${look.colorScheme}`), [])
    await screen.close()
  }
})

step('the key file is removed, so that the passphrase alone unlocks', async () => {
  await mine.id('remove-key-file').click()
  await mine.id('keys-current').fill(PASSPHRASE)
  await mine.id('keys-submit').click()
  await waitUntil('no key file', async () => (await way('key-file').getAttribute('data-there')) === 'false')
})

step('locked, the dashboard shows one field and no photo; a wrong passphrase says so, the right one opens', async () => {
  await mine.id('lock').click()
  await mine.id('unlock').waitFor()
  assert.equal(await mine.id('tile').count(), 0)
  await mine.picture('locked')
  await mine.id('unlock-passphrase').fill('lamps over a loud harbour')
  await mine.id('unlock-submit').click()
  await mine.id('unlock-problem').getByText('does not open the vault').waitFor()
  await mine.id('unlock-passphrase').fill(PASSPHRASE)
  await mine.id('unlock-submit').click()
  await mine.id('nav-photos').first().waitFor()
  await mine.go('/photos')
  await mine.id('tile').first().waitFor()
})

step('a browser that was never signed in unlocks with the words on paper, on a phone', async () => {
  await node.api('POST', '/vault/lock', {})
  const phone = await Screen.open(browser, node, { viewport: PHONE, colorScheme: 'dark' })
  await phone.page.goto(node.ready.dashboard)
  await phone.id('unlock').waitFor()
  assert.deepEqual(await phone.flaws('locked', 'locked-phone-dark'), [])
  await phone.id('unlock-recovery').click()
  await phone.id('unlock-words').fill(words.join(' '))
  await phone.id('unlock-submit').click()
  await phone.id('tile').first().waitFor()
  await phone.go('/settings?at=keys')
  await phone.id('keys').waitFor()
  await phone.picture('keys-phone-dark')
  await phone.close()
  // The page that saw it locked goes on by itself.
  await mine.id('tile').first().waitFor()
})

step('nothing went wrong on the way but what was refused on purpose', () => {
  assert.deepEqual(mine.wrong.filter((line) => !/status of (403|422|423) /.test(line)), [])
})
