// The guest page: add photos, find oneself, take it back. One column, and everything in words.

import './guest.css'
import { day, fill, h, length, size } from './dom'
import { prepared } from './selfie'
import * as server from './server'
import { Uploads, type Sending } from './uploads'

const POLL_MS = 4_000

const page = document.getElementById('page') as HTMLElement
let visit: server.Visit
let found: server.Found | undefined
let name = ''

const said = h('p', { className: 'said', role: 'status', 'data-testid': 'said' })
const nameField = h('input', { id: 'name', maxLength: 40, autocomplete: 'name', placeholder: 'Your name', 'data-testid': 'name' })
const uploadList = h('ul', { className: 'uploads', 'data-testid': 'uploads' })
const uploadNote = h('p', { className: 'quiet' })
const finding = h('div', { 'data-testid': 'finding' })
const back = h('section', { className: 'card' })
// Emptied when it closes, so that no video plays on.
const view = h('dialog', { 'aria-label': 'Photo', 'data-testid': 'view', onclose: () => fill(view) })

function say(text: string, bad = false) {
  said.textContent = text
  said.classList.toggle('bad', bad)
}

const complain = (error: unknown) => say(error instanceof Error ? error.message : 'That did not work. Try again.', true)

/** Makes a guest of whoever does something for the first time, one at a time. */
let joining: Promise<void> | undefined
async function known() {
  if (visit.guest) return
  joining ??= (async () => {
    await server.join(nameField.value.trim() || 'A guest')
    await refresh()
  })().finally(() => (joining = undefined))
  await joining
}

const uploads = new Uploads(() => visit.piece_bytes, known, showUploads)

async function rename() {
  const wished = nameField.value.trim()
  if (!visit.guest || !wished || wished === visit.guest.name) return
  try {
    await server.join(wished)
    await refresh()
    say(`You are ${wished} now.`)
  } catch (error) {
    complain(error)
  }
}

async function refresh() {
  visit = await server.visit()
  if (visit.guest) {
    if (name !== visit.guest.name && document.activeElement !== nameField) nameField.value = visit.guest.name
    name = visit.guest.name
  }
  showUploads()
  showBack()
}

// ---- adding ----

const WORDS: Record<server.Upload['state'], string> = {
  coming: 'Not complete: choose it once more, and it goes on',
  here: 'Arrived',
  waiting: 'Waiting for the host',
  shown: 'In the event',
  known: 'Was there already',
  refused: 'The host left it out',
  failed: 'Not taken',
}

let drawn = ''
function showUploads() {
  if (!visit) return
  const mine = visit.guest?.uploads ?? []
  const sending = uploads.all.filter((one) => one.state !== 'sent' || !mine.some((upload) => upload.id === one.id))
  const others = [...mine].reverse().filter((upload) => !sending.some((one) => one.id === upload.id))
  const rows = () => [...sending.map(sendingRow), ...others.map(uploadRow)]
  // Only what changed is drawn anew, so that nobody loses the button that they are at.
  const now = JSON.stringify([mine, sending.map(({ id, state, sent, reason }) => [id, state, sent, reason])])
  if (now !== drawn) fill(uploadList, ...rows())
  drawn = now
  const resting = sending.some((one) => one.state === 'resting')
  uploadNote.textContent = resting
    ? 'No connection at the moment. Nothing is lost: it goes on by itself when you are back on the Wi-Fi.'
    : uploads.busy
      ? 'Keep this page open until everything has arrived.'
      : ''
}

function sendingRow(one: Sending) {
  const part = one.file.size > 0 ? Math.floor((one.sent / one.file.size) * 100) : 0
  const state = {
    queued: 'Next',
    sending: `${part} %`,
    resting: one.reason ?? 'Waiting for the connection',
    sent: 'Arrived',
    failed: one.reason ?? 'Not sent',
  }[one.state]
  return h(
    'li',
    { 'data-testid': 'upload' },
    h('div', {}, h('strong', {}, one.file.name), h('span', { className: one.state === 'failed' ? 'bad' : 'quiet' }, `${state} · ${size(one.file.size)}`)),
    one.state === 'sending' && h('progress', { max: 100, value: part, 'aria-label': `${one.file.name}: sent` }),
    one.state === 'failed' && h('button', { className: 'plain', onclick: () => uploads.again(one) }, 'Try again'),
    one.state !== 'sent' &&
      h('button', { className: 'plain', 'aria-label': `${one.state === 'failed' ? 'Forget' : 'Stop'} ${one.file.name}`, onclick: () => stop(one) }, one.state === 'failed' ? 'Forget' : 'Stop'),
  )
}

async function stop(one: Sending) {
  uploads.stop(one)
  if (one.id) await server.withdraw(one.id).catch(() => {})
  await refresh().catch(complain)
}

// Kept, so that a picture is not fetched again with each change of the list.
const thumbs = new Map<string, HTMLElement>()

function thumb(photo: string) {
  const known = thumbs.get(photo) ?? h('img', { src: server.address(`photos/${photo}/small`), alt: '', width: 44, height: 44 })
  thumbs.set(photo, known)
  return known
}

function uploadRow(upload: server.Upload) {
  return h(
    'li',
    { 'data-testid': 'upload', 'data-state': upload.state },
    upload.photo ? thumb(upload.photo) : null,
    h('div', {}, h('strong', {}, upload.name), h('span', { className: upload.state === 'failed' ? 'bad' : 'quiet' }, upload.reason ?? WORDS[upload.state])),
    h('button', { className: 'plain', 'aria-label': `Delete ${upload.name}`, onclick: () => remove(upload) }, 'Delete'),
  )
}

async function remove(upload: server.Upload) {
  if (!confirm(`Delete ${upload.name} from the host’s device? Copies that others have received already stay with them.`)) return
  try {
    await server.withdraw(upload.id)
    await refresh()
    say(`${upload.name} is deleted.`)
  } catch (error) {
    complain(error)
  }
}

function adding() {
  const input = h('input', {
    type: 'file',
    id: 'files',
    multiple: true,
    accept: 'image/*,video/*',
    className: 'file',
    'data-testid': 'files',
    onchange: () => {
      uploads.add(input.files ?? [])
      // So that the same file can be chosen again.
      input.value = ''
    },
  })
  const opens = visit.opens_at
  const closed = opens ? `Photos can be added from ${day(opens)} on.` : 'Photos can no longer be added.'
  return h(
    'section',
    { className: 'card' },
    h('h2', {}, 'Add your photos and videos'),
    h('label', { for: 'name' }, `Your name, so that ${visit.host} knows whose they are`),
    nameField,
    visit.takes_uploads ? h('label', { for: 'files', className: 'button first' }, 'Choose photos and videos') : h('p', { className: 'quiet' }, closed),
    visit.takes_uploads && input,
    uploadNote,
    uploadList,
  )
}

// ---- finding oneself ----

function showFinding() {
  if (!visit.selfies) return fill(finding)
  if (!visit.guest?.selfie) return fill(finding, consentCard())
  fill(finding, foundCard())
}

function consentCard() {
  const { consent } = visit
  const tick = h('input', { type: 'checkbox', id: 'agree', 'data-testid': 'agree' })
  const input = h('input', { type: 'file', id: 'selfie', accept: 'image/*', capture: 'user', className: 'file', disabled: true, 'data-testid': 'selfie' })
  const button = h('label', { for: 'selfie', className: 'button first off' }, 'Take a selfie')
  tick.addEventListener('change', () => {
    input.disabled = !tick.checked
    button.classList.toggle('off', !tick.checked)
  })
  input.addEventListener('change', async () => {
    const file = input.files?.[0]
    input.value = ''
    if (!file) return
    say('Looking at your selfie…')
    try {
      await known()
      await server.giveSelfie(consent.hash, await prepared(file))
      await refresh()
      await look()
      say('Your selfie is there. Photos and videos of you appear below as they are found.')
    } catch (error) {
      complain(error)
    }
  })
  const sections = consent.sections.flatMap((section) => [h('h3', {}, section.heading), h('p', {}, section.text)])
  return h(
    'section',
    { className: 'card', 'data-testid': 'consent' },
    h('h2', {}, consent.title),
    h('p', {}, `Take a selfie, and you see the photos and videos that you are in. It is erased after ${day(visit.erases_at)} at the latest.`),
    h('details', {}, h('summary', {}, 'Read first: what happens with your face'), ...sections),
    h('div', { className: 'tick' }, tick, h('label', { for: 'agree' }, consent.tick)),
    button,
    input,
  )
}

function foundCard() {
  const all = [...(found?.sure ?? []), ...(found?.maybe ?? [])]
  const note = !found
    ? 'Looking…'
    : all.length > 0
      ? ''
      : found.looking
        ? 'Photos and videos are still being looked at. Leave this page open, or come back later.'
        : 'Nothing of you yet. What is new appears here by itself.'
  const waiting = found && found.waiting > 0 ? `${found.waiting} more ${found.waiting === 1 ? 'waits' : 'wait'} for ${visit.host}’s yes.` : ''
  return h(
    'section',
    { className: 'card', 'data-testid': 'found' },
    h('h2', {}, all.some((one) => one.video) ? 'Photos and videos of you' : 'Photos of you'),
    note && h('p', { className: 'quiet' }, note),
    grid('Surely you', 'sure', found?.sure ?? []),
    grid('Maybe you', 'maybe', found?.maybe ?? []),
    waiting && h('p', { className: 'quiet', 'data-testid': 'waiting' }, waiting),
    all.length > 0 && h('a', { className: 'button first', href: server.address('found.zip'), download: 'photos.zip', 'data-testid': 'zip' }, all.length === 1 ? 'Save it (ZIP)' : `Save all ${all.length} as one file (ZIP)`),
    h('button', { className: 'plain bad', 'data-testid': 'delete-selfie', onclick: forget }, 'Delete my selfie'),
  )
}

// Kept, so that a picture is not fetched again at each look.
const tiles = new Map<string, HTMLElement>()

function grid(title: string, id: string, photos: server.Photo[]) {
  if (photos.length === 0) return null
  const items = photos.map((photo, at) => {
    const known = tiles.get(photo.id)
    if (known) return known
    const image = h('img', { src: server.address(`photos/${photo.id}/small`), alt: '', loading: 'lazy' })
    const long = photo.video && length(photo.duration_ms)
    const label = long ? `${title}, video ${at + 1}, ${long}` : `${title}, photo ${at + 1}`
    const tile = h('li', {}, h('button', { className: 'tile', 'aria-label': label, onclick: () => open(photo) }, image, long && h('span', { className: 'long' }, `▶ ${long}`)))
    tiles.set(photo.id, tile)
    return tile
  })
  return h('div', { 'data-testid': id }, h('h3', {}, title), h('ul', { className: 'grid' }, ...items))
}

function moving(photo: server.Photo) {
  const note = h('p', { className: 'quiet', role: 'status' })
  const film = h('video', {
    src: server.address(`photos/${photo.id}/video`),
    poster: server.address(`photos/${photo.id}/large`),
    controls: true,
    autoplay: true,
    playsInline: true,
    'aria-label': 'Video of you',
    onerror: () => (note.textContent = 'It does not play here, or is not ready yet. Save it, or try again in a while.'),
  })
  return h('div', {}, film, note)
}

function open(photo: server.Photo) {
  const what = photo.video ? 'video' : 'photo'
  const reason = h('input', { id: 'reason', maxLength: 300, placeholder: 'Why, if you like' })
  const ask = async () => {
    try {
      await server.askRemoval(photo.id, reason.value)
      view.close()
      say(`${visit.host} knows that you want this ${what} removed.`)
    } catch (error) {
      complain(error)
    }
  }
  fill(
    view,
    h('button', { className: 'plain close', onclick: () => view.close() }, 'Close'),
    photo.video ? moving(photo) : h('img', { src: server.address(`photos/${photo.id}/large`), alt: 'Photo of you' }),
    h('a', { className: 'button first', href: server.address(`photos/${photo.id}/${photo.video ? 'video?save=true' : 'whole'}`), download: '', 'data-testid': 'save' }, 'Save'),
    h('details', {}, h('summary', {}, `Ask to remove this ${what}`), h('label', { for: 'reason' }, `For ${visit.host}`), reason, h('button', { className: 'button', 'data-testid': 'ask-removal', onclick: ask }, 'Ask')),
  )
  view.setAttribute('aria-label', photo.video ? 'Video' : 'Photo')
  view.showModal()
}

async function forget() {
  if (!confirm('Delete your selfie and everything that was made from it?')) return
  try {
    await server.deleteSelfie()
    found = undefined
    tiles.clear()
    await refresh()
    showFinding()
    say('Your selfie is deleted.')
  } catch (error) {
    complain(error)
  }
}

let seen = ''
async function look() {
  if (!visit.guest?.selfie) return
  found = await server.found()
  const now = JSON.stringify(found)
  if (now !== seen || !finding.querySelector('[data-testid=found]')) showFinding()
  seen = now
}

// ---- coming back ----

function showBack() {
  const link = visit.guest ? server.privateLink() : ''
  back.hidden = !link
  if (back.hidden || back.dataset.link === link) return
  back.dataset.link = link
  fill(
    back,
    h('h2', {}, 'Come back later'),
    h('p', {}, 'This is your own link: it brings you back to your photos on any device. Keep it to yourself, and send it to yourself if you like.'),
    h('p', {}, h('a', { href: link, className: 'link', 'data-testid': 'private-link' }, link)),
  )
}

/** A line for the few who have Inframe on a computer: the code that they scanned is their invite too. */
function handOver() {
  const { memberLink } = server
  if (!memberLink) return null
  const link = h('input', { id: 'member-link', readOnly: true, value: memberLink, hidden: true, 'aria-label': 'Link for Inframe on a computer', 'data-testid': 'member-link' })
  const copy = async () => {
    link.hidden = false
    link.select()
    try {
      // Pages that come by plain HTTP have no clipboard object; the selection still copies.
      if (navigator.clipboard) await navigator.clipboard.writeText(memberLink)
      else if (!document.execCommand('copy')) throw new Error()
      say('Copied. Paste it there, under “Join an event”.')
    } catch {
      say('Copy the link at the end of the page, and paste it there, under “Join an event”.')
    }
  }
  return h('div', {}, h('p', { className: 'quiet' }, 'You have Inframe on a computer? ', h('button', { className: 'plain', 'data-testid': 'copy-member-link', onclick: copy }, 'Copy the link for it')), link)
}

function show() {
  document.title = visit.event
  const where = visit.approve_first ? `${visit.host} looks at them first.` : 'They are part of the event at once.'
  fill(
    page,
    h('header', {}, h('p', { className: 'brand' }, 'Inframe'), h('h1', {}, visit.event), h('p', { className: 'lead', 'data-testid': 'lead' }, `Add your photos of this event: they go straight to ${visit.host}’s own device, to no company and no account. ${where}`)),
    said,
    adding(),
    finding,
    back,
    h(
      'footer',
      {},
      handOver(),
      h(
        'p',
        {},
        location.protocol === 'https:'
          ? 'What you send and what you see here is encrypted on its way, so others on this Wi-Fi cannot read or alter it.'
          : 'What you send is encrypted on its way with a key from the code that you scanned, so others on this Wi-Fi who have not scanned it cannot read it; pictures that you see or save here, your name, and what you do are not, and none of this protects you from somebody who alters this page on its way.',
      ),
    ),
    view,
  )
  page.removeAttribute('aria-busy')
  showUploads()
  showFinding()
  showBack()
}

async function poll() {
  if (document.hidden || !visit.guest) return
  const before = visit.guest.selfie
  await refresh()
  if (visit.guest.selfie !== before) showFinding()
  await look()
}

function broken(error: unknown) {
  const text = error instanceof Error ? error.message : 'The page could not be opened.'
  const again = h('button', { className: 'button first', onclick: () => location.reload() }, 'Try again')
  fill(page, h('header', {}, h('p', { className: 'brand' }, 'Inframe'), h('h1', {}, 'This did not work'), h('p', { className: 'lead' }, text)), again)
  page.removeAttribute('aria-busy')
}

async function start() {
  if (!server.isWhole) throw new Error('The link is not whole: the part behind the # is missing. Scan the code again.')
  visit = await server.visit()
  if (!visit.guest && (await server.comeBack())) visit = await server.visit()
  nameField.value = name = visit.guest?.name ?? ''
  nameField.addEventListener('change', rename)
  show()
  await look().catch(() => {})
  setInterval(() => poll().catch(() => {}), POLL_MS)
  addEventListener('beforeunload', (event) => uploads.busy && event.preventDefault())
}

// Scanned once more while the page was open: another key, or another guest.
addEventListener('hashchange', () => location.reload())

start().catch(broken)
