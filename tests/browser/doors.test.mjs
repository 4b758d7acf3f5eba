// Other pages and hostile addresses at the dashboard's door, in a real browser that is signed in: nothing is read, nothing is changed.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Daemon, sample } from './daemons.mjs'
import { openBrowser, Screen } from './browser.mjs'

/** A name that leads to this machine, as a hostile name server would have it. */
const FOREIGN = 'evil.example'

let browser, node, screen, port, asset, elsewhere

before(async () => {
  browser = await openBrowser([`--host-resolver-rules=MAP ${FOREIGN} 127.0.0.1`])
  node = await Daemon.start('Quiet Heron')
  port = new URL(node.ready.dashboard).port
  ;({ asset } = await node.api('POST', '/uploads?name=a.jpg', sample(1)))
  screen = await Screen.open(browser, node)
  await screen.page.goto(node.ready.launch)
  await screen.id('tile').first().waitFor()
  elsewhere = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!doctype html><title>Elsewhere</title><body>'))
  await new Promise((done) => elsewhere.listen(0, '127.0.0.1', done))
})

after(async () => {
  await browser?.close()
  await node?.stop()
  elsewhere?.close()
})

/** A page of another origin, in the browser that is signed in. Another port of this machine is the nearer one: the cookie is sent from there. */
async function stranger(host = '127.0.0.1') {
  const page = await screen.context.newPage()
  await page.goto(`http://${host}:${elsewhere.address().port}/`)
  return page
}

/** The requests of `page` to the daemon, and with what they were answered as far as the browser tells. */
function asked(page) {
  const seen = { requests: 0, statuses: [] }
  page.on('request', (request) => (seen.requests += Number(new URL(request.url()).port === port)))
  page.on('response', (response) => new URL(response.url()).port === port && seen.statuses.push(response.status()))
  return seen
}

test('a foreign name that leads to the daemon gets neither the page nor an answer', { timeout: 60_000 }, async () => {
  const page = await screen.context.newPage()
  for (const path of ['/', '/photos', '/api/v1/status', `/api/v1/assets/${asset}/thumb?size=grid`]) {
    const answer = await page.goto(`http://${FOREIGN}:${port}${path}`)
    assert.equal(answer.status(), 421, path)
    assert.equal(await page.getByTestId('tile').count(), 0)
    assert.match(await page.locator('body').innerText(), /does not answer to this name/)
  }
  await page.close()
})

for (const host of ['127.0.0.1', FOREIGN]) {
  test(`a page at ${host} on another port changes nothing and reads nothing`, { timeout: 60_000 }, async () => {
    const page = await stranger(host)
    const seen = asked(page)
    const read = await page.evaluate(async ({ base, asset }) => {
      const read = []
      const call = async (path, options) => {
        try {
          const answer = await fetch(base + path, { credentials: 'include', ...options })
          if (answer.type !== 'opaque') read.push(`${path}: ${await answer.text()}`)
        } catch {
          // Not let through, as it should be.
        }
      }
      const body = JSON.stringify({ name: 'Stolen' })
      // What needs no question beforehand, as from a form; then what does.
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
        await call('/events', { method: 'POST', mode: 'no-cors', headers: { 'content-type': type }, body })
      }
      await call('/uploads?name=planted.jpg', { method: 'POST', mode: 'no-cors', body: new Blob(['planted']) })
      await call('/vault/lock', { method: 'POST', mode: 'no-cors' })
      await call('/profile/consent', { method: 'POST', mode: 'no-cors' })
      await call('/events', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      await call(`/assets/${asset}`, { method: 'DELETE' })
      await call('/settings', { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"nickname":"Stolen"}' })
      for (const path of ['/status', '/openapi.json', `/assets/${asset}/original`, '/vault', '/session']) await call(path, {})
      // Pictures, scripts, styles and frames are not asked whether they may be read.
      const loaded = (element) => new Promise((done) => {
        element.onload = () => done(element.naturalWidth === undefined ? element.tagName : element.naturalWidth > 0 ? 'IMG' : null)
        element.onerror = () => done(null)
        document.body.append(element)
      })
      for (const [tag, path] of [['img', `/assets/${asset}/thumb?size=grid`], ['script', '/status']]) {
        const what = await loaded(Object.assign(document.createElement(tag), { src: base + path }))
        if (what) read.push(`embedded: ${path}`)
      }
      return read
    }, { base: `${node.ready.dashboard}/api/v1`, asset })
    assert.deepEqual(read, [])
    assert.ok(seen.requests >= 16, `it did ask: ${seen.requests}`)
    assert.deepEqual(seen.statuses.filter((status) => status !== 403), [], 'every one of them is refused')
    // A form takes the whole page along.
    const answer = page.waitForNavigation()
    await page.evaluate((action) => {
      const form = Object.assign(document.createElement('form'), { action, method: 'post', enctype: 'text/plain' })
      form.append(Object.assign(document.createElement('input'), { name: '{"name":"Stolen","x":"', value: '"}' }))
      document.body.append(form)
      form.submit()
    }, `${node.ready.dashboard}/api/v1/events`)
    assert.equal((await answer).status(), 403)
    await page.close()

    assert.deepEqual(await node.api('GET', '/events'), [])
    assert.equal((await node.api('GET', '/settings')).nickname, 'Quiet Heron')
    assert.equal((await node.api('GET', '/status')).asset_count, 1)
    assert.equal((await node.api('GET', '/vault')).phase, 'open')
  })

  test(`a page at ${host} on another port puts no frame around the dashboard and opens no window into it`, { timeout: 60_000 }, async () => {
    const page = await stranger(host)
    await page.evaluate((src) => document.body.append(Object.assign(document.createElement('iframe'), { src })), `${node.ready.dashboard}/photos`)
    await page.waitForFunction(() => document.querySelector('iframe').contentDocument === null)
    const framed = page.frames()[1]
    await framed.waitForLoadState()
    assert.equal(await framed.getByTestId('nav-photos').count(), 0)
    const opened = await page.evaluate(async (address) => {
      const other = open(address)
      await new Promise((done) => setTimeout(done, 1_000))
      return other === null || other.closed
    }, `${node.ready.dashboard}/photos`)
    assert.ok(opened, 'the window that was opened is out of its hands')
    await page.close()
  })

  test(`a page at ${host} on another port hears nothing on the live socket`, { timeout: 60_000 }, async () => {
    const listen = (address) => new Promise((done) => {
      const socket = new WebSocket(address)
      socket.onopen = () => done('open')
      socket.onerror = () => done('refused')
    })
    const address = `ws://127.0.0.1:${port}/api/v1/live?since=0`
    const page = await stranger(host)
    assert.equal(await page.evaluate(listen, address), 'refused')
    await page.close()
    assert.equal(await screen.page.evaluate(listen, address), 'open', 'the dashboard itself is heard')
  })
}

/** One call with exactly this path: browsers and libraries make `..` vanish first. */
function raw(path, headers) {
  return new Promise((done, failed) => {
    const call = request({ host: '127.0.0.1', port, path, headers }, (answer) => {
      const parts = []
      answer.on('data', (part) => parts.push(part))
      answer.on('end', () => done({ status: answer.statusCode, type: answer.headers['content-type'] ?? '', bytes: Buffer.concat(parts) }))
    })
    call.on('error', failed)
    call.end()
  })
}

test('no path leads out of the dashboard or the vault', { timeout: 60_000 }, async () => {
  const cookies = await screen.context.cookies()
  const headers = { cookie: cookies.map(({ name, value }) => `${name}=${value}`).join('; ') }
  const key = readFileSync(join(node.folder, 'master.key'))
  const up = ['../'.repeat(8), '..%2f'.repeat(8), '%2e%2e/'.repeat(8), '%2e%2e%2f'.repeat(8), '..%5c'.repeat(8), '..\\'.repeat(8), '....//'.repeat(8), '%252e%252e%252f'.repeat(8), '..%c0%af'.repeat(8), '/']
  const targets = ['etc/passwd', `${node.folder.slice(1)}/master.key`, 'etc/passwd%00.js']
  const roots = ['/', '/assets/', '/photo/', '/api/v1/assets/', '/api/v1/events/', '/api/v1/consent-texts/', '/api/v1/imports/', '/api/v1/people/']
  let page
  for (const root of roots) {
    for (const climb of up) {
      for (const target of targets) {
        const path = root + climb + target
        const { status, type, bytes } = await raw(path, headers)
        assert.ok(!bytes.includes('root:') && !bytes.includes(key), `${path} leads out`)
        if (status === 200) {
          // Places within the dashboard have no files behind them: they are all the one page.
          page ??= (await raw('/', headers)).bytes
          assert.ok(type.startsWith('text/html') && bytes.equals(page), `${path} gives something: ${type}`)
          assert.ok(!path.startsWith('/api/'), `${path} gives the page`)
        } else {
          assert.ok(status >= 400 && status < 500, `${path}: ${status}`)
        }
      }
    }
  }
  for (const of of ['thumb?size=grid', 'original', 'video', 'motion']) {
    const { status } = await raw(`/api/v1/assets/..%2F${asset}/${of}`, headers)
    assert.equal(status, 404, of)
  }
})

test('nothing of this was noticed by the dashboard that stood open', () => assert.deepEqual(screen.wrong, []))
