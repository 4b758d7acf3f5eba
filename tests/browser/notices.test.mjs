// What the owner is told of: in the notice bar while somebody looks, by the browser while nobody does, and where the settings send it.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before } from 'node:test'
import { Daemon, waitUntil } from './daemons.mjs'
import { openBrowser, Screen, steps } from './browser.mjs'

let browser, node, mine, receiver
const got = []
let answer = 200

before(async () => {
  receiver = createServer((request, response) => {
    const parts = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => {
      got.push({ path: request.url, headers: request.headers, body: Buffer.concat(parts).toString() })
      response.writeHead(answer).end()
    })
  })
  await new Promise((done) => receiver.listen(0, '127.0.0.1', done))
  browser = await openBrowser()
  node = await Daemon.start('Node')
  mine = await Screen.open(browser, node)
  await mine.context.grantPermissions(['notifications'], { origin: mine.origin })
  await mine.context.addInitScript(pretend)
  await mine.page.goto(node.ready.launch)
  await mine.id('add-photos').first().waitFor()
})

after(async () => {
  await browser?.close()
  await node?.stop()
  receiver?.close()
})

const step = steps(() => mine?.picture('failed-notices'))

/** A page of a browser without windows is never hidden, and shows no notifications: both are played. */
function pretend() {
  const real = Date.now.bind(Date)
  let ahead = 0
  Date.now = () => real() + ahead
  globalThis.later = (ms) => (ahead += ms)
  let hidden = false
  Object.defineProperty(document, 'hidden', { get: () => hidden })
  globalThis.hide = (now) => {
    hidden = now
    document.dispatchEvent(new Event('visibilitychange'))
  }
  globalThis.poppedUp = []
  const Real = globalThis.Notification
  globalThis.Notification = class {
    constructor(title, options) {
      this.title = title
      this.options = options
      globalThis.poppedUp.push(this)
    }
    close() {
      this.closed = true
    }
    static get permission() {
      return globalThis.refused ? 'denied' : Real.permission
    }
    static requestPermission() {
      return Real.requestPermission()
    }
  }
}

/** A page is not told of its own browser's sign-in, which it knows by the time. */
const longAfterSigningIn = (page) => page.evaluate(() => globalThis.later(60_000))
const hide = (page, now) => page.evaluate((now) => globalThis.hide(now), now)
const poppedUp = (page) => page.evaluate(() => globalThis.poppedUp.map(({ title, options, closed }) => ({ title, body: options.body, closed })))
const notices = () => node.api('GET', '/notices')

let others = 0
/** Another browser signs in, which is one of the things that are told. */
async function somebodySignsIn() {
  const before = (await notices()).recent.length
  const { url } = await node.api('POST', '/session/launch-links')
  const other = await browser.newContext()
  const page = await other.newPage()
  await page.goto(url)
  await page.getByTestId('add-photos').first().waitFor()
  await other.close()
  others++
  return before
}

step('what comes is told in the dashboard, with a way there, and makes room for what is done', async () => {
  await longAfterSigningIn(mine.page)
  await somebodySignsIn()
  await mine.id('news').getByText('signed in to').first().waitFor()
  assert.deepEqual(await mine.flawsOnDeskAndPhone('news', 'notices-news'), [])
  await mine.id('news-action').click()
  await mine.page.waitForURL('**/settings?at=sessions')
  await mine.id('sessions').waitFor()
})

step('kinds are switched and quiet hours set', async () => {
  await mine.go('/settings?at=notices')
  await mine.id('notice-here-photos').uncheck()
  await waitUntil('photos off', async () => (await notices()).kinds.find((one) => one.kind === 'photos').here === false)
  await mine.id('notice-here-photos').check()
  await waitUntil('photos on', async () => (await notices()).kinds.every((one) => one.here))
  await mine.id('notices-quiet').check()
  await mine.id('notices-quiet-until').fill('22:00')
  await mine.page.getByText('Choose two different times').waitFor()
  await mine.id('notices-quiet-until').fill('06:30')
  await mine.id('notices-quiet-save').click()
  await mine.id('notices-quiet-save').waitFor({ state: 'detached' })
  const { quiet_from, quiet_until } = await notices()
  assert.deepEqual([quiet_from, quiet_until], ['22:00', '6:30'])
  await mine.id('notices-quiet').uncheck()
  await mine.id('notices-quiet-save').click()
  await waitUntil('no quiet hours', async () => (await notices()).quiet_from == null)
})

step('an address is named, tried, found wanting and taken back', async () => {
  const address = `http://127.0.0.1:${receiver.address().port}/topic`
  await mine.id('receiver-open').click()
  await mine.id('receiver-address').fill('http://ntfy.example.org/photos')
  await mine.id('receiver-insecure').waitFor()
  assert.equal(await mine.id('receiver-save').isDisabled(), true)
  await mine.id('receiver-address').fill(address)
  await mine.id('receiver-insecure').waitFor({ state: 'detached' })
  await mine.id('receiver-token').fill('tk_of_harbour')
  assert.deepEqual(await mine.flawsOnDeskAndPhone('an address', 'notices-address'), [])
  await mine.id('receiver-save').click()
  await mine.id('receiver').getByText('with a token').waitFor()
  assert.ok(!JSON.stringify(await notices()).includes('tk_of_harbour'))
  await mine.id('notices-test').click()
  await mine.page.locator('[data-testid=notices-outcome][data-taken=true]').waitFor()
  assert.equal(got.at(-1).headers.authorization, 'Bearer tk_of_harbour')
  answer = 404
  await mine.id('notices-test').click()
  await mine.id('notices-outcome').getByText('look whether all of it is right').waitFor()
  assert.deepEqual(await mine.flawsOnDeskAndPhone('a test that failed', 'notices-failed'), [])
  await mine.id('receiver-change').click()
  await mine.id('receiver-without-token').check()
  await mine.id('receiver-save').click()
  await waitUntil('no token', async () => (await notices()).receiver.has_token === false)
  await mine.go('/privacy')
  await mine.id('privacy-leaves-notices').getByText('127.0.0.1').waitFor()
  await mine.go('/settings?at=notices')
  await mine.id('receiver-forget').click()
  await mine.id('receiver-open').waitFor()
  assert.equal((await notices()).receiver, null)
})

step('the browser tells while nobody looks, by one tab of several, and a press leads there', async () => {
  assert.deepEqual(await poppedUp(mine.page), [], 'never before it was asked for')
  await longAfterSigningIn(mine.page)
  await mine.id('popups').check()
  const second = await mine.context.newPage()
  await second.goto(`${mine.origin}/events`)
  await second.getByTestId('nav-events').first().waitFor()
  await longAfterSigningIn(second)

  // Somebody looks at the second tab: it tells, and nothing pops up.
  await hide(mine.page, true)
  await somebodySignsInAfterAWhile()
  await second.getByTestId('news').waitFor()
  assert.deepEqual(await poppedUp(mine.page), [])

  await hide(second, true)
  await somebodySignsInAfterAWhile()
  const shown = await waitUntil('one notification', async () => {
    const all = [...(await poppedUp(mine.page)), ...(await poppedUp(second))]
    return all.length > 0 && all
  })
  assert.deepEqual(shown.map(({ title, body }) => [title, body]), [['A browser signed in', 'A browser signed in to your dashboard']])
  const teller = (await poppedUp(mine.page)).length > 0 ? mine.page : second
  await teller.evaluate(() => globalThis.poppedUp[0].onclick())
  await teller.waitForURL('**/settings?at=sessions')
  assert.equal((await poppedUp(teller))[0].closed, true)

  // Looked at again, nothing is told twice.
  await hide(mine.page, false)
  await hide(second, false)
  await mine.settled()
  assert.equal(await mine.id('news').count(), 0)
  await second.close()
  await mine.go('/settings?at=notices')
  await mine.id('popups').uncheck()
})

/** Notices of one kind are ten seconds apart; waits until this one was told. */
async function somebodySignsInAfterAWhile() {
  const before = await somebodySignsIn()
  await waitUntil('a notice', async () => (await notices()).recent.length > before)
}

step('a browser that was told not to says how to change that', async () => {
  await mine.page.evaluate(() => {
    globalThis.refused = true
    globalThis.hide(false)
  })
  await mine.id('popups-refused').waitFor()
  assert.deepEqual(await mine.flawsOnDeskAndPhone('refused', 'notices-refused'), [])
})

step('a text of consent that has changed is shown, and agreed to anew', async () => {
  const { hash } = await node.api('GET', '/consent-texts/faces')
  await node.api('POST', '/profile/consent', { text_hash: hash })
  // As if it had been another text then.
  await mine.page.route('**/consent-receipts', async (route) => {
    const answer = await route.fetch()
    const receipts = await answer.json()
    await route.fulfill({ response: answer, json: receipts.map((one) => ({ ...one, text_hash: '0'.repeat(64) })) })
  })
  await mine.go('/profile')
  await mine.id('changed-text').getByText('has changed since you agreed').waitFor()
  await mine.id('changed-text').getByText('Read the new text').click()
  await mine.id('changed-agree').scrollIntoViewIfNeeded()
  assert.deepEqual(await mine.flawsOnDeskAndPhone('a changed text', 'notices-text'), [])
  await mine.page.unroute('**/consent-receipts')
  await mine.id('changed-agree').click()
  await mine.id('changed-text').waitFor({ state: 'detached' })
  assert.equal((await node.api('GET', '/consent-receipts')).length, 2)
})

step('nothing went wrong on the way', () => {
  assert.deepEqual(mine.wrong, [])
  assert.ok(others >= 3)
})
