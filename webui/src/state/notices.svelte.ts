// One short message at a time, for things that are not on the screen already.

export interface Notice {
  text: string
  bad: boolean
  id: number
  /** What one press can still do about it, such as to undo it. */
  action: Action | null
  /** How long it is shown when nobody points at it. */
  forMs: number
  /** Whether it tells what came, and not what became of a press. */
  news: boolean
}

export interface Action {
  label: string
  run: () => void
}

const SHOWN_MS = 8_000
/** News that wait for their turn; of more the oldest go, since the pages show everything. */
const WAITING = 3

class Notices {
  current = $state.raw<Notice | null>(null)
  #timer: ReturnType<typeof setTimeout> | null = null
  #next = 1
  #waiting: Omit<Notice, 'id'>[] = []

  say(text: string, bad = false, action: Action | null = null, forMs = SHOWN_MS): void {
    this.#show({ text, bad, action, forMs, news: false })
  }

  /** Tells what came, once nothing else is shown: what somebody has just done, and may undo, comes first. */
  tell(text: string, bad: boolean, action: Action): void {
    this.#waiting = [...this.#waiting, { text, bad, action, forMs: SHOWN_MS, news: true }].slice(-WAITING)
    if (this.current === null) this.#nextNews()
  }

  #show(notice: Omit<Notice, 'id'>): void {
    this.current = { ...notice, id: this.#next++ }
    this.resume()
  }

  #nextNews(): void {
    const [first, ...others] = this.#waiting
    this.#waiting = others
    if (first) this.#show(first)
  }

  /** Stays while somebody points at it or has moved into it. */
  pause(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  resume(): void {
    this.pause()
    this.#timer = setTimeout(() => this.close(), this.current?.forMs)
  }

  close(): void {
    this.pause()
    this.current = null
    this.#nextNews()
  }
}

export const notices = new Notices()
