// The host's device, as this page speaks to it. What is sent is sealed here with the key that stands in the address behind the #, which no browser sends.

import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'

export interface Upload {
  id: string
  name: string
  size: number
  state: 'coming' | 'here' | 'waiting' | 'shown' | 'known' | 'refused' | 'failed'
  reason: string | null
  have: number[]
  photo: string | null
}

export interface Visit {
  event: string
  host: string
  takes_uploads: boolean
  opens_at: number | null
  approve_first: boolean
  selfies: boolean
  erases_at: number
  piece_bytes: number
  file_bytes: number
  consent: { hash: string; title: string; sections: { heading: string; text: string }[]; tick: string }
  guest: { name: string; selfie: boolean; uploads: Upload[] } | null
}

export interface Photo {
  id: string
  width: number
  height: number
  video: boolean
  duration_ms: number
}

export interface Found {
  selfie: boolean
  sure: Photo[]
  maybe: Photo[]
  looking: boolean
  waiting: number
}

/** What the device answered instead of what was asked for, or that it did not answer (status 0). */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }

  /** Whether it helps to try again by itself. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

const token = location.pathname.split('/')[2] ?? ''
const store = `inframe-guest-${token}`
const [own, ...rest] = location.hash.slice(1).split('~')
const [keyText = '', linkSecret = ''] = (own ?? '').split('.')

/**
 * The link for a computer with Inframe, if the code that was scanned carries an invite: as it was scanned, without this guest's own secret. It is held in
 * the page's memory alone, and the address forgets the invite before anything else happens.
 */
export const memberLink = rest.length > 0 ? `${location.origin}${location.pathname}#${keyText}~${rest.join('~')}` : ''
if (memberLink) history.replaceState(null, '', `${location.pathname}${location.search}#${own}`)

function fromBase64(text: string) {
  try {
    const raw = atob(text.replace(/-/g, '+').replace(/_/g, '/'))
    return Uint8Array.from(raw, (letter) => letter.charCodeAt(0))
  } catch {
    return new Uint8Array()
  }
}

const key = fromBase64(keyText)

/** Whether the address has the whole key. */
export const isWhole = key.length === 32

function remembered() {
  try {
    return localStorage.getItem(store) ?? ''
  } catch {
    return ''
  }
}

let secret = linkSecret || remembered()

function remember(text: string) {
  secret = text
  try {
    localStorage.setItem(store, text)
  } catch {
    // A browser that keeps nothing: the private link still works.
  }
}

/** The address that brings this guest back on any device. */
export function privateLink() {
  return secret ? `${location.origin}${location.pathname}#${keyText}.${secret}` : ''
}

export function address(path: string) {
  return `/g/${token}/api/${path}`
}

/** The body for a purpose: nonce, what is sealed, tag. */
export function sealed(purpose: string, plain: Uint8Array) {
  const nonce = crypto.getRandomValues(new Uint8Array(24))
  const aad = new TextEncoder().encode(`inframe guest 1 ${purpose}`)
  const body = xchacha20poly1305(key, nonce, aad).encrypt(plain)
  const out = new Uint8Array(nonce.length + body.length)
  out.set(nonce)
  out.set(body, nonce.length)
  return out
}

async function send(method: string, path: string, body?: Uint8Array): Promise<Response> {
  let answer: Response
  try {
    const headers: Record<string, string> = body ? { 'content-type': 'application/octet-stream' } : {}
    answer = await fetch(address(path), { method, headers, body: body as BodyInit | undefined, credentials: 'same-origin' })
  } catch {
    throw new Refused(0, 'The host’s device does not answer. Are you on the same Wi-Fi?')
  }
  if (answer.ok) return answer
  const problem = await answer.json().catch(() => ({}))
  throw new Refused(answer.status, problem.detail ?? 'The page is not there any more. Scan the code again, or ask the host.')
}

const json = async <T>(method: string, path: string, body?: Uint8Array) => (await send(method, path, body)).json() as Promise<T>
const text = (purpose: string, value: unknown) => sealed(purpose, new TextEncoder().encode(JSON.stringify(value)))

export const visit = () => json<Visit>('GET', 'visit')

export async function join(name: string) {
  const joined = await json<{ secret: string | null }>('POST', 'guest', text('guest', { name }))
  if (joined.secret) remember(joined.secret)
}

/** Comes back as the guest that this browser or the address knows; whether there is one. */
export async function comeBack() {
  if (!secret) return false
  try {
    await send('POST', 'return', text('return', { secret }))
    remember(secret)
    return true
  } catch (error) {
    if (error instanceof Refused && error.passes) throw error
    return false
  }
}

export const begin = (name: string, bytes: number) => json<Upload>('POST', 'uploads', text('upload', { name, size: bytes }))
export const give = (id: string, index: number, bytes: number, plain: Uint8Array) =>
  send('PUT', `uploads/${id}?piece=${index}`, sealed(`piece ${id} ${index} ${bytes}`, plain))
export const done = (id: string) => json<Upload>('POST', `uploads/${id}/done`)
export const withdraw = (id: string) => send('DELETE', `uploads/${id}`)
export const giveSelfie = (consent: string, plain: Uint8Array) => send('PUT', `selfie?consent=${consent}`, sealed('selfie', plain))
export const deleteSelfie = () => send('DELETE', 'selfie')
export const found = () => json<Found>('GET', 'found')
export const askRemoval = (id: string, reason: string) => send('POST', `photos/${id}/removal`, text('removal', { reason }))
