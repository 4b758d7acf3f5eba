// Names as a hostile person would choose them, in every field whose text the dashboard shows: each is refused, or harmless where it stands.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Daemon, sample, waitUntil } from './daemons.mjs'
import { openBrowser, PHONE, Screen } from './browser.mjs'

/** What the names have in common, to find them by. */
const MARK = 'Mallory'

const HOSTILE = {
  markup: `${MARK}<img src=x onerror="globalThis.taken=1"><script>globalThis.taken=1</script><b>`,
  'control characters': `${MARK}\u0000\u0007\u001b[31m\r\n\u0085red`,
  'turned direction': `${MARK}\u202egpj.exe\u2066\u200f`,
  'ten thousand letters': `${MARK}${'W'.repeat(10_000)}`,
}

let browser, node, screen, asset, event, person

before(async () => {
  browser = await openBrowser()
  node = await Daemon.start('Quiet Heron')
  const { hash } = await node.api('GET', '/consent-texts/faces')
  await node.api('POST', '/profile/consent', { text_hash: hash })
  ;({ asset } = await node.api('POST', '/uploads?name=party.jpg', sample(1)))
  await waitUntil('faces', async () => (await node.api('GET', `/assets/${asset}`)).faces?.length > 0)
  ;({ id: event } = await node.api('POST', '/events', { name: 'Party' }))
  screen = await Screen.open(browser, node, { viewport: PHONE })
  await screen.page.goto(node.ready.launch)
  await screen.id('tile').first().waitFor()
})

after(async () => {
  await browser?.close()
  await node?.stop()
})

/** The answer of one call, or null where it was refused with a reason. */
async function unlessRefused(method, path, body) {
  try {
    return (await node.api(method, path, body)) ?? {}
  } catch (error) {
    assert.match(error.message, /: 4(00|13|22) \{.*"detail":"[^"]{10,}/, 'a refusal with a reason')
    return null
  }
}

/** Looks at what stands on the page now. */
async function harmless(where) {
  const seen = await screen.page.evaluate((mark) => {
    const shown = []
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walk.nextNode()) if (walk.currentNode.data.includes(mark)) shown.push(walk.currentNode.data)
    for (const element of document.querySelectorAll('[title], [aria-label], [alt], input')) {
      for (const text of [element.title, element.getAttribute('aria-label'), element.alt, element.value]) if (text?.includes?.(mark)) shown.push(text)
    }
    return {
      shown,
      taken: globalThis.taken ?? null,
      planted: document.querySelectorAll('img[src="x"], body script:not([src])').length,
      sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    }
  }, MARK)
  assert.ok(seen.taken === null && seen.planted === 0, `${where}: the name became part of the page`)
  assert.ok(seen.sideways <= 0, `${where}: ${seen.sideways} px wider than the screen`)
  for (const text of seen.shown) {
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/, `${where}: ${JSON.stringify(text)}`)
    assert.ok(text.length < 1_000, `${where}: a name of ${text.length} letters`)
  }
  return seen.shown.length
}

/** Opens the places one after the other, on a phone, where there is the least room; the name has to be seen in all of them. */
async function lookAt(kind, places) {
  for (const [place, open] of places) {
    await screen.go(place)
    await screen.page.locator('main h1:visible, [data-testid=photo]:visible, [data-testid=file-view]:visible').first().waitFor()
    await open?.()
    await waitUntil(`${kind} on ${place}`, () => harmless(`${kind} on ${place}`), 10_000)
    await screen.picture(`name-${place.split('/')[1]}-${kind.replaceAll(' ', '-')}`)
  }
}

const details = async () => (await screen.id('details').count()) === 0 && screen.id('details-toggle').click()

const FIELDS = {
  'a nickname': async (name) => (await unlessRefused('PATCH', '/settings', { nickname: name })) && [['/settings', () => screen.id('nickname').waitFor()], [`/events/${event}`]],
  "a device's name": async (name) => (await unlessRefused('PATCH', '/settings', { device_name: name })) && [['/settings', () => screen.id('device-name').waitFor()]],
  "an event's name": async (name) => {
    const made = await unlessRefused('POST', '/events', { name })
    return made && [['/events'], [`/events/${made.id}`]]
  },
  "a person's name": async (name) => {
    const given = await unlessRefused('PUT', `/assets/${asset}/faces/0/person`, { name })
    if (given === null) return null
    person = (await node.api('GET', `/assets/${asset}`)).faces[0].person ?? person
    const id = typeof person === 'string' ? person : person?.id
    return [[`/photo/${asset}`, details], ...(id ? [[`/people/${id}`]] : [])]
  },
  "a child's name": async (name) => {
    const { hash } = await node.api('GET', '/consent-texts/guardian')
    const made = await unlessRefused('POST', '/profiles', { name, text_hash: hash })
    return made && [['/profile']]
  },
  'the name of a file': async (name) => {
    // In the page first, as it is when somebody chooses the file; then as the daemon has it.
    await screen.go('/photos')
    await screen.id('file-input').evaluate((input, given) => {
      const files = new DataTransfer()
      files.items.add(new File([given.text], given.name, { type: 'image/jpeg' }))
      input.files = files.files
      input.dispatchEvent(new Event('change', { bubbles: true }))
    }, { name, text: `chosen: ${name}` })
    await waitUntil('what became of it', async () => (await screen.id('upload-kept').count()) + (await screen.id('upload-problems').count()) > 0, 20_000)
    await waitUntil('its name', () => harmless('the tray of uploads'))
    const kept = (await unlessRefused('POST', `/uploads?name=${encodeURIComponent(name)}`, Buffer.from(`sent: ${name}`)))?.asset
    return kept && [[`/photo/${kept}`, details], ['/trash', () => node.api('DELETE', `/assets/${kept}`).catch(() => {})]]
  },
}

for (const [field, give] of Object.entries(FIELDS)) {
  test(`${field} that is hostile is refused or harmless`, { timeout: 180_000 }, async () => {
    let seen = 0
    for (const [kind, name] of Object.entries(HOSTILE)) {
      const places = await give(name)
      if (!places) continue
      seen++
      await lookAt(kind, places)
    }
    assert.ok(seen > 0, 'every one was refused, markup included, which is an ordinary name')
  })
}

test('none of it ran, and nothing was asked for outside', () => {
  assert.deepEqual(screen.wrong.filter((line) => !/status of (404|409|413|422) /.test(line)), [])
})
