// People in the browser: found without a reload, named, asked about with the keyboard, corrected, hidden; on every kind of screen.

import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Daemon, sample, waitUntil } from './daemons.mjs'
import { cut, openBrowser, PHONE, Screen, SCREENSHOTS, steps } from './browser.mjs'

/** Parts of the first sample that show all three people in it. */
const CROPS = [0, 1, 2].map((step) => ({ x: 20 * step, y: 12 * step, width: 1840 - 20 * step, height: 1240 - 24 * step }))
const HER = 'Finder <b>&amp;'
const HIM = 'Guest'

let browser, node, screen, her, skipped

before(async () => {
  browser = await openBrowser()
  node = await Daemon.start('Node')
  screen = await Screen.open(browser, node)
  await screen.page.goto(node.ready.launch)
  await screen.id('add-photos').first().waitFor()
})

after(async () => {
  await browser?.close()
  await node?.stop()
  console.log(`pictures of the screens: ${SCREENSHOTS}`)
})

const step = steps(() => screen.picture('failed-people'))

const people = async () => (await node.api('GET', '/people')).people
const upload = (name, bytes) => node.api('POST', `/uploads?name=${name}`, bytes)
const looked = async (photos) => {
  await waitUntil('all faces', async () => {
    const view = await node.api('GET', '/people')
    return view.pending === 0 && view.people.some((person) => person.photos >= photos)
  })
}

step('nobody is looked for before consent, and the page says what it would do', async () => {
  await screen.page.getByRole('link', { name: 'People' }).first().click()
  await screen.id('people-no-consent').waitFor()
  await screen.picture('people-no-consent')
  assert.deepEqual(await screen.axe(), [], 'accessibility')
})

step('people come as their photos do, without a reload', async () => {
  await screen.page.evaluate(() => (globalThis.notReloaded = true))
  const { hash } = await node.api('GET', '/consent-texts/faces')
  await node.api('POST', '/profile/consent', { text_hash: hash })
  await screen.id('people-empty').waitFor()
  for (const [number, part] of CROPS.entries()) await upload(`terrace-${number}.jpg`, await cut(browser, sample(1), part))
  await upload('terrace.jpg', sample(1))
  await upload('party.jpg', sample(3))
  await looked(5)
  await waitUntil('three people', async () => (await screen.id('person').count()) === 3)
  await waitUntil('their faces', () =>
    screen.page.evaluate(() => [...document.querySelectorAll('[data-testid=person] img')].filter((image) => image.naturalWidth > 0).length === 3))
  assert.equal(await screen.page.evaluate(() => globalThis.notReloaded), true, 'the page was reloaded')
  her = (await people()).find((person) => person.photos === 5)
  assert.ok(her, 'she is in all five photos')
})

step('a person is named where the name stands, and markup in a name is only text', async () => {
  await screen.page.locator(`[data-testid=person][data-id="${her.id}"]`).click()
  await screen.id('rename').click()
  await screen.id('rename-input').fill(HER)
  await screen.id('rename-save').click()
  await screen.page.getByRole('heading', { name: HER }).waitFor()
  assert.equal((await people()).find((person) => person.id === her.id).name, HER)
  assert.equal(await screen.id('person-photo').count(), 5)
})

step('the photo shows who is in it, and a face can be named there', async () => {
  await screen.id('person-photo').first().click()
  await screen.id('photo').waitFor()
  await screen.page.getByRole('link', { name: HER }).waitFor()
  await screen.settled()
  await screen.picture('people-photo')
  assert.deepEqual(await screen.axe(), [], 'accessibility of the photo with names')
  await screen.id('name-face-button').first().click()
  await screen.id('name-face').waitFor()
  await screen.picture('people-name-face')
  await screen.page.keyboard.press('Escape')
  await screen.page.keyboard.press('Escape')
})

step('the queue is answered with the keyboard: skip, a name, yes, undo, no', async () => {
  await screen.go('/people/queue')
  await screen.id('question').waitFor()
  await screen.settled()
  await screen.picture('people-queue')
  assert.deepEqual(await screen.axe(), [], 'accessibility of the queue')
  skipped = (await node.api('GET', '/people/queue')).questions[0].person.id
  await screen.page.keyboard.press('s')
  await waitUntil('the next question', async () => (await node.api('GET', '/people/queue')).questions[0].person.id !== skipped)
  const second = (await node.api('GET', '/people/queue')).questions[0].person.id
  await screen.id('person-name').fill(HIM)
  await screen.page.keyboard.press('Enter')
  await waitUntil('his name', async () => (await people()).find((person) => person.id === second)?.name === HIM)
  await node.api('PATCH', `/people/${skipped}`, { name: 'Host' })

  // Strangers who look somewhat like somebody with a name are asked about, never taken for them.
  for (const number of [2, 4]) await upload(`bar-${number}.jpg`, sample(number))
  const doubts = await waitUntil('a doubtful face', async () => {
    const { pending } = await node.api('GET', '/people')
    const { questions } = await node.api('GET', '/people/queue')
    return pending === 0 && questions.filter((question) => question.kind === 'is').length > 0 && questions
  })
  const asked = doubts[0]
  assert.equal(asked.kind, 'is')
  const photosOf = async () => (await people()).find((person) => person.id === asked.person.id).photos
  const before = await photosOf()
  await screen.page.locator('[data-testid=question][data-kind=is]').waitFor()
  await screen.settled()
  await screen.picture('people-queue-is')
  await screen.page.keyboard.press('y')
  await waitUntil('the answer', async () => (await photosOf()) > before)
  // The notice before this one said the same words.
  await screen.page.getByText('3 answered').waitFor()
  await screen.id('notice-action').click()
  await waitUntil('the answer taken back', async () => (await photosOf()) === before)
  await screen.page.locator(`[data-testid=question][data-kind=is] a[href="/photo/${asked.faces[0].asset}"]`).waitFor()
  await screen.page.keyboard.press('n')
  const same = (question) => question.kind === 'is' && question.person.id === asked.person.id && question.faces[0].asset === asked.faces[0].asset
  await waitUntil('it is not asked again', async () => !(await node.api('GET', '/people/queue')).questions.some(same))
  assert.equal(await photosOf(), before)
})

step('a photo that is not hers is taken out, and an undo brings it back', async () => {
  await screen.go(`/people/${her.id}`)
  await screen.id('person-photo').first().waitFor()
  await screen.id('choose').click()
  await screen.id('person-photo').first().click()
  await screen.settled()
  await screen.picture('people-select')
  assert.deepEqual(await screen.axe(), [], 'accessibility while choosing')
  await screen.id('not-them').click()
  await waitUntil('four photos', async () => (await screen.id('person-photo').count()) === 4)
  await screen.id('notice-action').click()
  await waitUntil('five again', async () => (await screen.id('person-photo').count()) === 5)
})

step('a split makes somebody new, and the merge dialog makes them one again', async () => {
  await screen.id('choose').click()
  await screen.id('person-photo').first().click()
  await screen.id('split').click()
  await waitUntil('the new page', async () => !screen.page.url().endsWith(her.id))
  await screen.page.getByRole('heading', { name: 'Add a name' }).waitFor()
  await screen.id('merge').click()
  await screen.id('merge-dialog').waitFor()
  await screen.settled()
  await screen.picture('people-merge')
  assert.deepEqual(await screen.axe(), [], 'accessibility of the dialog')
  await screen.id('person-choice').filter({ hasText: HER }).click()
  await waitUntil('her page', async () => screen.page.url().endsWith(her.id))
  await waitUntil('five photos', async () => (await screen.id('person-photo').count()) === 5)
})

step('a hidden person is behind the toggle only', async () => {
  const him = (await people()).find((person) => person.name === HIM)
  await screen.go(`/people/${him.id}`)
  await screen.id('hide').click()
  await waitUntil('hidden', async () => (await people()).find((person) => person.id === him.id).hidden)
  await screen.go('/people')
  await screen.id('person').first().waitFor()
  const his = screen.page.locator(`[data-testid=person][data-id="${him.id}"]`)
  assert.equal(await his.count(), 0)
  await screen.id('hidden-toggle').click()
  await his.waitFor()
  // A question for the screens below, whatever is left of the doubtful faces.
  await node.api('PATCH', `/people/${skipped}`, { name: '' })
  await waitUntil('a question', async () => (await node.api('GET', '/people/queue')).questions.some((question) => question.person.id === skipped))
})

for (const scheme of ['light', 'dark']) {
  for (const [name, options] of [['desktop', {}], ['phone', { viewport: PHONE, deviceScaleFactor: 2, hasTouch: true, isMobile: true }]]) {
    step(`people are accessible and fit: ${name}, ${scheme}`, async () => {
      const other = await Screen.open(browser, node, { ...options, colorScheme: scheme })
      const { url } = await node.api('POST', '/session/launch-links', {})
      await other.page.goto(url)
      await other.id('tile').first().waitFor()
      const found = []
      for (const [label, path] of [['people', '/people'], ['person', `/people/${her.id}`], ['queue', '/people/queue']]) {
        await other.go(path)
        await other.page.getByRole('heading').first().waitFor()
        await other.id({ people: 'person', person: 'person-photo', queue: 'question' }[label]).first().waitFor()
        found.push(...(await other.flaws(path, `${label}-${name}-${scheme}`)))
      }
      await other.close()
      assert.deepEqual(found, [])
    })
  }
}

step('nothing went wrong on the way: no policy violation, no error, no outside request', () => {
  assert.deepEqual(screen.wrong, [])
})
