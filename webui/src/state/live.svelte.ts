// One WebSocket for the page: says what changed, so that whoever shows it asks again.
import { liveAddress } from '../api/client'
import { connection } from './connection.svelte'
import type { LiveView } from '../api/types'

export type Topic =
  | 'timeline' | 'asset' | 'imports' | 'events' | 'approvals' | 'transfers' | 'profile' | 'status' | 'activity' | 'settings' | 'people' | 'trash' | 'notices'

type Listener = { topics: readonly Topic[]; heard: (id: string | null) => void }

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 20_000

class Live {
  connected = $state(false)
  #listeners = new Set<Listener>()
  #socket: WebSocket | null = null
  #seq = 0
  #pause = FIRST_PAUSE_MS
  #timer: ReturnType<typeof setTimeout> | null = null
  #wanted = false
  #awake = false
  #missed = false

  /** Opens the socket; it closes while the page is hidden, because nobody is looking, unless it is to stay awake. */
  start(): void {
    if (this.#wanted) return
    this.#wanted = true
    document.addEventListener('visibilitychange', this.#visibility)
    this.#visibility()
  }

  stop(): void {
    this.#wanted = false
    document.removeEventListener('visibilitychange', this.#visibility)
    this.#close()
  }

  /** Whether a hidden page still hears of notices, and of nothing else: one page of a browser tells of them. */
  stayAwake(awake: boolean): void {
    this.#awake = awake
    if (this.#wanted) this.#visibility()
  }

  on(topics: readonly Topic[], heard: (id: string | null) => void): () => void {
    const listener = { topics, heard }
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #visibility = (): void => {
    if (document.hidden && !this.#awake) this.#close()
    else if (!this.#socket) this.#open()
    if (!document.hidden && this.#missed) this.#tell('resync', null)
  }

  #open(): void {
    if (!this.#wanted || (document.hidden && !this.#awake)) return
    const socket = new WebSocket(liveAddress(this.#seq))
    this.#socket = socket
    socket.onopen = () => {
      this.connected = true
      this.#pause = FIRST_PAUSE_MS
    }
    socket.onmessage = (message) => this.#hear(String(message.data))
    socket.onclose = () => {
      if (this.#socket !== socket) return
      this.#socket = null
      this.connected = false
      void connection.retry()
      // A little randomness keeps several tabs from knocking at the same moment.
      this.#timer = setTimeout(() => this.#open(), this.#pause * (0.75 + Math.random() / 2))
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS)
    }
  }

  #close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const socket = this.#socket
    this.#socket = null
    this.connected = false
    socket?.close()
  }

  #hear(text: string): void {
    let message: LiveView
    try {
      message = JSON.parse(text) as LiveView
    } catch {
      return
    }
    if (typeof message.seq === 'number') this.#seq = message.seq
    this.#tell(message.what, message.id ?? null)
  }

  /** While nobody looks only notices are worth a request; the rest is asked for when somebody does. */
  #tell(what: string, id: string | null): void {
    this.#missed = document.hidden
    for (const listener of this.#listeners) {
      if (document.hidden && !listener.topics.includes('notices')) continue
      if (what === 'resync' || listener.topics.includes(what as Topic)) listener.heard(id)
    }
  }
}

export const live = new Live()
