// Files on their way: several at once, in pieces, on after a lost connection. What the device has is asked of it, so nothing is sent twice.

import { missingPieces, pieceSize } from './pieces'
import { Refused, begin, done, give } from './server'

const FILES_AT_ONCE = 2
const PIECES_AT_ONCE = 2
const LONGEST_PAUSE_MS = 20_000

export interface Sending {
  file: File
  /** Of the device; none until it knows of the file. */
  id?: string
  state: 'queued' | 'sending' | 'resting' | 'sent' | 'failed'
  /** Bytes that are there. */
  sent: number
  reason?: string
  stopped?: boolean
}

export class Uploads {
  readonly all: Sending[] = []
  #running = 0
  #wake: (() => void)[] = []

  constructor(
    readonly pieceBytes: () => number,
    readonly ready: () => Promise<void>,
    readonly changed: () => void,
  ) {
    // Back on the Wi-Fi, or the page is looked at again: whatever rests goes on at once.
    addEventListener('online', () => this.#wakeAll())
    document.addEventListener('visibilitychange', () => document.hidden || this.#wakeAll())
  }

  get busy() {
    return this.all.some((one) => one.state === 'queued' || one.state === 'sending' || one.state === 'resting')
  }

  add(files: Iterable<File>) {
    for (const file of files) this.all.push({ file, state: 'queued', sent: 0 })
    this.changed()
    this.#next()
  }

  again(one: Sending) {
    one.state = 'queued'
    one.reason = undefined
    this.changed()
    this.#next()
  }

  stop(one: Sending) {
    one.stopped = true
    const at = this.all.indexOf(one)
    if (at >= 0) this.all.splice(at, 1)
    this.#wakeAll()
    this.changed()
  }

  #next() {
    while (this.#running < FILES_AT_ONCE) {
      const one = this.all.find((each) => each.state === 'queued')
      if (!one) return
      one.state = 'sending'
      this.#running++
      this.#send(one)
        .catch((error: unknown) => {
          one.state = 'failed'
          one.reason = error instanceof Error ? error.message : 'It could not be sent.'
        })
        .finally(() => {
          this.#running--
          this.changed()
          this.#next()
        })
    }
  }

  async #send(one: Sending) {
    await this.#persist(one, this.ready)
    const upload = await this.#persist(one, () => begin(one.file.name, one.file.size))
    one.id = upload.id
    const pieceBytes = this.pieceBytes()
    const missing = missingPieces(upload, one.file.size, pieceBytes)
    one.sent = one.file.size - missing.reduce((sum, index) => sum + pieceSize(one.file.size, pieceBytes, index), 0)
    this.changed()
    const work = async () => {
      for (let index = missing.shift(); index !== undefined && !one.stopped; index = missing.shift()) {
        const at = index
        const bytes = await readPiece(one.file, at * pieceBytes, pieceBytes)
        await this.#persist(one, () => give(upload.id, at, one.file.size, bytes))
        one.sent += bytes.length
        this.changed()
      }
    }
    await Promise.all(Array.from({ length: PIECES_AT_ONCE }, work))
    if (one.stopped) return
    await this.#persist(one, () => done(upload.id))
    one.state = 'sent'
  }

  /** Tries until it is done or refused for good, with longer and longer pauses. */
  async #persist<T>(one: Sending, attempt: () => Promise<T>): Promise<T> {
    for (let pause = 1_000; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        const value = await attempt()
        if (one.state === 'resting') one.state = 'sending'
        return value
      } catch (error) {
        if (!(error instanceof Refused) || !error.passes || one.stopped) throw error
        one.state = 'resting'
        one.reason = error.status === 0 ? undefined : error.message
        this.changed()
        await this.#rest(pause)
        if (one.stopped) throw error
      }
    }
  }

  #rest(pause: number) {
    return new Promise<void>((wake) => {
      const timer = setTimeout(wake, pause)
      this.#wake.push(() => (clearTimeout(timer), wake()))
    })
  }

  #wakeAll() {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

async function readPiece(file: File, start: number, length: number) {
  try {
    return new Uint8Array(await file.slice(start, start + length).arrayBuffer())
  } catch {
    throw new Error('Your phone does not give this file any more. Choose it again.')
  }
}
