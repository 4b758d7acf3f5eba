// What the daemon tells its owner: in the notice bar while somebody looks, as a notification of the browser while nobody does. Of several tabs of a
// browser one tells.
import { untrack } from 'svelte'
import { api } from '../api/client'
import type { NoticeView } from '../api/types'
import { router } from '../router.svelte'
import { live } from './live.svelte'
import { notices } from './notices.svelte'
import { preferences } from './preferences.svelte'
import { noticeSettings } from './resources.svelte'

const SEEN = 'inframe.news-seen'
/** Held by the tab that tells while nobody looks. */
const TELLER = 'inframe-news-teller'
/** Shared by all tabs that somebody looks at. */
const LOOKED_AT = 'inframe-looked-at'
/** A browser that has just signed in need not be told that one has. */
const OWN_SIGN_IN_MS = 15_000

/** Kinds that are shown as a warning. */
const BAD: ReadonlySet<string> = new Set(['suspicious'])

/** Why this browser shows no notifications: it cannot on this page, or its owner said no. */
export type Popups = 'impossible' | 'refused' | 'asked' | 'open'

/** Keeps a lock of the browser until it is let go; between asking and getting it, letting go takes the question back. */
class Lock {
  held = false
  #drop: (() => void) | null = null

  constructor(
    readonly name: string,
    readonly mode: LockMode,
    readonly changed: () => void = () => {},
  ) {}

  take(): void {
    if (this.#drop || !('locks' in navigator)) return
    const givenUp = new AbortController()
    const over = new Promise<void>((done) => {
      this.#drop = () => {
        givenUp.abort()
        done()
      }
    })
    const hold = () => {
      if (givenUp.signal.aborted) return
      this.held = true
      this.changed()
      return over
    }
    navigator.locks.request(this.name, { mode: this.mode, signal: givenUp.signal }, hold).catch(() => {})
  }

  drop(): void {
    this.#drop?.()
    this.#drop = null
    if (!this.held) return
    this.held = false
    this.changed()
  }
}

class News {
  /** Number of the last notice that this page knows; none before its first look. */
  #known: number | null = null
  #began = 0
  #run = 0
  #teller = new Lock(TELLER, 'exclusive', () => live.stayAwake(this.#teller.held))
  #lookedAt = new Lock(LOOKED_AT, 'shared')
  /** What the browser allows. */
  popups = $state<Popups>(permission())

  /** Begins to tell; gives what ends it. What there was before is not told. */
  start(): () => void {
    this.#began = Date.now()
    const leave = live.on(['notices'], () => void this.#look())
    document.addEventListener('visibilitychange', this.#visibility)
    // Read once, so that starting does not begin again with every change of it.
    untrack(() => this.#visibility())
    void this.#look()
    return () => {
      leave()
      document.removeEventListener('visibilitychange', this.#visibility)
      this.#teller.drop()
      this.#lookedAt.drop()
    }
  }

  /** Asks the browser, which asks its owner; to be called by a press. */
  async allow(): Promise<void> {
    if (this.popups === 'impossible') return
    await Notification.requestPermission()
    this.popups = permission()
    preferences.popups = this.popups === 'open'
    this.#visibility()
  }

  refuse(): void {
    preferences.popups = false
    this.#visibility()
  }

  #visibility = (): void => {
    this.popups = permission()
    if (document.hidden) this.#lookedAt.drop()
    else this.#lookedAt.take()
    if (preferences.popups && this.popups === 'open') this.#teller.take()
    else this.#teller.drop()
  }

  async #look(): Promise<void> {
    const run = ++this.#run
    let recent: NoticeView[]
    try {
      const view = await api.notices()
      noticeSettings.set(view)
      recent = view.recent
    } catch {
      // Asked again when the daemon answers.
      return
    }
    if (run !== this.#run) return
    const before = this.#known
    this.#known = Math.max(before ?? 0, ...recent.map((one) => one.id))
    if (before === null) return
    for (const one of recent) {
      if (one.id > before && one.id > lastSeen() && !this.#isOwnSignIn(one)) await this.#tell(one)
    }
  }

  #isOwnSignIn(one: NoticeView): boolean {
    return one.kind === 'sign-ins' && Date.now() - this.#began < OWN_SIGN_IN_MS
  }

  async #tell(one: NoticeView): Promise<void> {
    if (!document.hidden) {
      see(one.id)
      // Whoever looks at the page that shows it need not be told.
      if (location.pathname + location.search === one.page) return
      notices.tell(one.named, BAD.has(one.kind), { label: 'Show', run: () => router.go(one.page) })
    } else if (this.#teller.held && this.popups === 'open' && !(await isLookedAt())) {
      see(one.id)
      popUp(one)
    }
  }
}

function permission(): Popups {
  // Pages that are neither on this machine nor behind https may not.
  if (!('Notification' in globalThis) || !globalThis.isSecureContext || !('locks' in navigator)) return 'impossible'
  if (Notification.permission === 'granted') return 'open'
  return Notification.permission === 'denied' ? 'refused' : 'asked'
}

async function isLookedAt(): Promise<boolean> {
  const { held } = await navigator.locks.query()
  return held?.some((lock) => lock.name === LOOKED_AT) ?? false
}

/** Names nobody: it may stand on a locked screen. */
function popUp(one: NoticeView): void {
  try {
    const shown = new Notification(one.title, { body: one.text, tag: `inframe-${one.kind}`, icon: '/icon.svg' })
    shown.onclick = () => {
      window.focus()
      router.go(one.page)
      shown.close()
    }
  } catch {
    // Some phones show none from a page; then the dashboard tells when it is opened.
  }
}

function lastSeen(): number {
  try {
    return Number(localStorage.getItem(SEEN) ?? 0)
  } catch {
    return 0
  }
}

function see(id: number): void {
  try {
    localStorage.setItem(SEEN, String(Math.max(id, lastSeen())))
  } catch {
    // A browser that keeps nothing may tell twice.
  }
}

export const news = new News()
