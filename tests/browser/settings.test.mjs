// What the settings give to others: how much of the line, and room for members who are away.

import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Daemon, waitUntil } from './daemons.mjs'
import { openBrowser, Screen, steps } from './browser.mjs'

let browser, node, mine

before(async () => {
  browser = await openBrowser()
  node = await Daemon.start('Node')
  mine = await Screen.open(browser, node)
  await mine.page.goto(node.ready.launch)
  await mine.id('add-photos').first().waitFor()
})

after(async () => {
  await browser?.close()
  await node?.stop()
})

const step = steps(() => mine?.picture('failed-settings'))

const settings = () => node.api('GET', '/settings')

let renamed = 0

/** Another setting changes from elsewhere, and the page has read all of them again. */
async function newsOfOtherSettings() {
  const again = mine.page.waitForResponse((response) => response.url().endsWith('/settings'))
  await node.api('PATCH', '/settings', { device_name: `A shelf ${++renamed}` })
  await again
  await mine.settled()
}

step('limits and quiet hours are set, refused where they make no sense, and taken back', async () => {
  await mine.go('/settings?at=traffic')
  await mine.id('limit-up').fill('2.5')
  await mine.id('quiet').check()
  await mine.id('quiet-until').fill('23:00')
  await mine.page.getByText('Choose two different times').waitFor()
  assert.equal(await mine.id('traffic-save').isDisabled(), true)
  await mine.id('quiet-until').fill('06:30')
  assert.deepEqual(await mine.flawsOnDeskAndPhone('traffic', 'settings-traffic'), [])
  await mine.id('traffic-save').click()
  await mine.id('traffic-save').waitFor({ state: 'detached' })
  assert.deepEqual((await settings()).traffic, { up_bytes_s: 2_500_000, down_bytes_s: null, quiet_from: '23:00', quiet_until: '6:30' })
  // What is being typed outlives news of other settings.
  await mine.id('limit-up').fill('7')
  await newsOfOtherSettings()
  assert.equal(await mine.id('limit-up').inputValue(), '7')
  await mine.id('quiet').uncheck()
  await mine.id('limit-up').fill('')
  await mine.id('traffic-save').click()
  await waitUntil('no limits', async () => Object.values((await settings()).traffic).every((value) => value === null))
})

step('this device holds photos for others in as much room as its owner gives, and none again', async () => {
  await mine.go('/settings?at=keeping')
  await mine.id('keeping-on').check()
  await mine.id('keeping-room').fill('2.5')
  await mine.id('keeping-save').click()
  await mine.id('keeping-now').getByText('Nothing lies here for others').waitFor()
  assert.deepEqual((await settings()).keeping, { room_bytes: 2_500_000_000, count: 0, bytes: 0 })
  assert.deepEqual(await mine.flawsOnDeskAndPhone('keeping', 'settings-keeping'), [])
  await mine.id('keeping-room').fill('7')
  await newsOfOtherSettings()
  assert.equal(await mine.id('keeping-room').inputValue(), '7')
  await mine.id('keeping-on').uncheck()
  await mine.id('keeping-save').click()
  await waitUntil('nothing held', async () => (await settings()).keeping.room_bytes === null)
  await mine.id('keeping-now').waitFor({ state: 'detached' })
})

step('nothing went wrong on the way', () => {
  assert.deepEqual(mine.wrong, [])
})
