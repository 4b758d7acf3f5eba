// One short message at a time, for things that are not on the screen already.

export interface Notice {
  text: string
  bad: boolean
  id: number
  /** What one press can still do about it, such as to undo it. */
  action: Action | null
  forMs: number
}

export interface Action {
  label: string
  run: () => void
}

const SHOWN_MS = 8_000

class Notices {
  current = $state.raw<Notice | null>(null)
  #timer: ReturnType<typeof setTimeout> | null = null
  #next = 1

  say(text: string, bad = false, action: Action | null = null, forMs = SHOWN_MS): void {
    this.current = { text, bad, action, forMs, id: this.#next++ }
    this.resume()
  }

  /** Stays while somebody points at it or has moved into it. */
  pause(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  resume(): void {
    this.pause()
    this.#timer = setTimeout(() => this.close(), this.current?.forMs ?? SHOWN_MS)
  }

  close(): void {
    this.pause()
    this.current = null
  }
}

export const notices = new Notices()
