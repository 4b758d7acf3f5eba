// The first steps in the browser, a backup brought back at the first of them, and everything erased.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { Daemon, sample, waitUntil } from './daemons.mjs'
import { openBrowser, Screen, steps } from './browser.mjs'

const PASSPHRASE = 'lamps over a quiet harbour'

let browser, node, mine, other, theirs, disk, words
const cut = []

before(async () => {
  browser = await openBrowser()
  node = await Daemon.startNew('Quiet Heron')
  mine = await Screen.open(browser, node)
})

after(async () => {
  await browser?.close()
  await node?.stop()
  await Promise.all([other, ...cut].map((daemon) => daemon?.stop()))
})

const step = steps(async () => {
  await mine?.picture('failed-first')
  await theirs?.picture('failed-first-theirs')
})

const flaws = []

const looks = async (screen, label, name) => flaws.push(...(await screen.flawsOnDeskAndPhone(label, name)))

step('the first visit begins with a name, and everything on it is reached with the keyboard', async () => {
  await mine.page.goto(node.ready.launch)
  await mine.id('welcome-name').waitFor()
  await waitUntil('the name', async () => (await mine.id('welcome-nickname').inputValue()) === 'Quiet Heron')
  await looks(mine, 'welcome', 'welcome-name')
  await mine.id('welcome-name').focus()
  const reached = []
  for (let n = 0; n < 7; n++) {
    await mine.page.keyboard.press('Tab')
    reached.push(await mine.page.evaluate(() => document.activeElement?.dataset.testid ?? ''))
  }
  for (const part of ['welcome-nickname', 'welcome-device', 'welcome-next', 'welcome-skip', 'welcome-restore', 'welcome-skip-all']) assert.ok(reached.includes(part), `${part} in ${reached}`)
  await mine.id('welcome-nickname').fill('Amber Finch')
  await mine.page.keyboard.press('Enter')
  await mine.id('welcome-keys').waitFor()
})

step('a passphrase takes the place of the key file; two that differ and a short one are refused', async () => {
  await looks(mine, 'keys', 'welcome-keys')
  await mine.id('welcome-passphrase').check()
  await mine.id('welcome-new').fill(PASSPHRASE)
  await mine.id('welcome-again').fill(`${PASSPHRASE}s`)
  await mine.id('welcome-next').click()
  await mine.id('welcome-problem').getByText('not the same').waitFor()
  for (const field of ['welcome-new', 'welcome-again']) await mine.id(field).fill('short')
  await mine.id('welcome-next').click()
  await mine.id('welcome-problem').getByText('at least').waitFor()
  await looks(mine, 'passphrase', 'welcome-passphrase')
  for (const field of ['welcome-new', 'welcome-again']) await mine.id(field).fill(PASSPHRASE)
  await mine.id('welcome-next').click()
  await mine.id('welcome-sheet').waitFor()
  assert.deepEqual((await node.api('GET', '/vault')).ways, ['passphrase'])
})

step('the recovery sheet is shown once and three words are asked back', async () => {
  await looks(mine, 'sheet', 'welcome-sheet')
  await mine.id('welcome-next').click()
  await mine.id('sheet').waitFor()
  words = await mine.id('sheet').locator('li strong').allInnerTexts()
  assert.equal(words.length, 24)
  await looks(mine, 'words', 'welcome-words')
  await mine.page.emulateMedia({ media: 'print' })
  await mine.picture('welcome-words-print')
  await mine.page.emulateMedia({ media: 'screen' })
  await mine.id('sheet-next').click()
  for (const field of await mine.id('sheet-word').all()) await field.fill(words[Number(await field.getAttribute('data-number')) - 1])
  await mine.id('sheet-keep').click()
  await mine.id('welcome-photos').waitFor()
  assert.deepEqual((await node.api('GET', '/vault')).ways.sort(), ['passphrase', 'recovery'])
})

step('a folder is named, one that is not there is refused, and the photos come', async () => {
  await looks(mine, 'photos', 'welcome-photos')
  await mine.id('welcome-folder').fill('/nonexistent/photos')
  await mine.id('welcome-watch').click()
  await mine.id('welcome-problem').waitFor()
  const photos = join(node.folder, 'photos')
  mkdirSync(photos)
  writeFileSync(join(photos, 'harbour.jpg'), sample(2))
  await mine.id('welcome-folder').fill(photos)
  await mine.id('welcome-watch').click()
  await mine.id('welcome-watched').getByText(photos).waitFor()
  await looks(mine, 'a folder', 'welcome-folder')
  await mine.id('welcome-finish').click()
  await mine.id('tile').first().waitFor()
})

step('the first steps are never shown again', async () => {
  await mine.go('/')
  await mine.id('tile').first().waitFor()
  assert.equal(await mine.id('welcome').count(), 0)
  assert.equal((await node.api('GET', '/settings')).nickname, 'Amber Finch')
  assert.equal((await node.api('GET', '/vault')).first_run, false)
})

step('on another, new computer the backup is brought back, and what is wrong is told', async () => {
  disk = join(node.folder, 'disk')
  mkdirSync(disk)
  await node.api('PATCH', '/backup', { folder: disk, every_hours: 24 })
  await waitUntil('the backup', async () => (await node.api('GET', '/backup')).last_at)
  await node.api('POST', '/vault/lock', {})
  other = await Daemon.startNew('Misty Otter')
  theirs = await Screen.open(browser, other)
  await theirs.page.goto(other.ready.launch)
  await theirs.id('welcome-restore').click()
  await looks(theirs, 'restore', 'restore-folder')
  await theirs.id('restore-folder').fill(other.folder)
  await theirs.id('restore-find').click()
  await theirs.id('restore-problem').getByText('no backup').waitFor()
  await theirs.id('restore-folder').fill(disk)
  await theirs.id('restore-find').click()
  await theirs.id('restore-found').waitFor()
  await theirs.id('restore-by-passphrase').click()
  await theirs.id('restore-secret').fill('lamps over a loud harbour')
  await theirs.id('restore-begin').click()
  await theirs.id('restore-problem').getByText('does not open').waitFor()
  await looks(theirs, 'wrong passphrase', 'restore-wrong')
  await theirs.id('restore-by-recovery').click()
  await theirs.id('restore-secret').fill(words.join(' '))
  await theirs.id('restore-begin').click()
  await theirs.id('tile').first().waitFor()
  await theirs.id('notice').getByText('Everything is back').waitFor()
  await theirs.picture('restored')
  assert.ok((await other.api('GET', '/vault')).ways.includes('key-file'), 'it starts by itself')
})

step('a restore that was cut short says so, and is gone on with or given up', async () => {
  // As a kill leaves it right after the backup was found good.
  const cutShort = (data) => writeFileSync(join(data, 'restoring'), '')
  for (const givenUp of [true, false]) {
    const daemon = await Daemon.startNew('Quiet Heron')
    cut.push(daemon)
    await daemon.killed(cutShort)
    const screen = await Screen.open(browser, daemon)
    await screen.page.goto(daemon.ready.launch)
    await screen.page.getByRole('heading', { name: 'Bringing back was cut short' }).waitFor()
    await looks(screen, 'cut short', 'restoring-cut')
    if (givenUp) {
      await screen.id('restoring-give-up').click()
      await looks(screen, 'giving up', 'restoring-give-up')
      await screen.id('restoring-give-up-sure').click()
      await screen.id('welcome-name').waitFor()
    } else {
      await screen.id('restore-folder').fill(disk)
      await screen.id('restore-find').click()
      await screen.id('restore-secret').fill(words.join(' '))
      await screen.id('restore-begin').click()
      await screen.id('tile').first().waitFor()
      // Two key files open it now, that of this computer and that of the one whose backup it was: it is one way to unlock.
      assert.deepEqual((await daemon.api('GET', '/vault')).ways.sort(), ['key-file', 'passphrase', 'recovery'])
      await daemon.api('POST', '/vault/lock', {})
      await screen.id('unlock-key-file').click()
      await screen.id('unlock-submit').click()
      await screen.id('tile').first().waitFor()
    }
    flaws.push(...screen.wrong)
    await screen.close()
  }
})

step('everything is erased after two things that nobody types by accident, and the first steps come again', async () => {
  await theirs.go('/settings?at=erase')
  await theirs.id('erase-open').click()
  await theirs.id('erase-lost').getByText('1 photo').waitFor()
  await theirs.id('erase-backup').getByText(disk).waitFor()
  assert.ok(await theirs.id('erase-submit').isDisabled())
  await theirs.id('erase-words').fill('erase everything')
  await theirs.id('erase-secret').fill('not the passphrase')
  await theirs.id('erase-submit').click()
  await theirs.id('erase-problem').getByText('does not open').waitFor()
  await looks(theirs, 'erase', 'erase')
  await theirs.id('erase-secret').fill(PASSPHRASE)
  await theirs.id('erase-submit').click()
  await theirs.id('welcome-name').waitFor()
  assert.equal((await other.api('GET', '/status')).asset_count, 0)
  assert.deepEqual((await other.api('GET', '/vault')).ways, ['key-file'])
})

step('all of the first steps can be passed over at once', async () => {
  await theirs.id('welcome-skip').click()
  await theirs.id('welcome-keys').waitFor()
  await theirs.id('welcome-skip').click()
  await theirs.id('welcome-sheet').waitFor()
  await theirs.id('welcome-skip-all').click()
  await theirs.id('nav-photos').first().waitFor()
  assert.equal((await other.api('GET', '/vault')).first_run, false)
  await theirs.go('/')
  await theirs.id('nav-photos').first().waitFor()
  assert.equal(await theirs.id('welcome').count(), 0)
})

step('nothing went wrong on the way but what was refused on purpose', () => {
  const wrong = [...flaws, ...mine.wrong, ...theirs.wrong].filter((line) => !/status of (403|409|422|423) /.test(line))
  assert.deepEqual(wrong, [])
})
