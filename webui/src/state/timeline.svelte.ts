// The photos of the library by position: the skeleton for all of them, and ids in blocks as they come into view.
import { api, ApiError, isAbort } from '../api/client'
import { decodeSkeleton, EMPTY, mapItems, type Skeleton } from '../timeline/skeleton'
import { live } from './live.svelte'

export const BLOCK = 256
const GATHER_MS = 200

type Phase = 'loading' | 'ready' | 'failed'

export interface Item {
  id: string
  takenAt: number
  received: boolean
  faces: number
  /** Length of a video in milliseconds, 0 while it is not known; null for a photo. */
  duration: number | null
  /** The end of the name of a file that cannot be shown, such as `PDF`. */
  file: string | null
}

/** Told before and after the skeleton is exchanged, so that the view can hold its place. */
export type Exchange = (before: Skeleton, after: Skeleton, map: Int32Array) => void

class Timeline {
  phase = $state<Phase>('loading')
  error = $state.raw<unknown>(null)
  skeleton = $state.raw<Skeleton>(EMPTY)
  /** Rises when ids have come; reading it makes a view depend on them. */
  version = $state(0)
  onExchange: Exchange | null = null
  /** Position of the photo that was looked at last, so that the grid can come back to it. */
  lastSeen = -1

  #items: Array<Item | undefined> = []
  #fresh = new Set<number>()
  #asked = new Map<number, AbortController>()
  #etag: string | null = null
  #timer: ReturnType<typeof setTimeout> | null = null
  #loading: Promise<void> | null = null
  #again = false
  #started = false

  start(): void {
    if (this.#started) return
    this.#started = true
    live.on(['timeline'], () => this.refresh())
    void this.load()
  }

  refresh(): void {
    if (!this.#started || this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.load()
    }, GATHER_MS)
  }

  /** Loads the skeleton; calls during a load make one more load after it. */
  load(): Promise<void> {
    if (this.#loading) {
      this.#again = true
      return this.#loading
    }
    this.#loading = this.#loadOnce().finally(() => {
      this.#loading = null
      if (this.#again) {
        this.#again = false
        void this.load()
      }
    })
    return this.#loading
  }

  async #loadOnce(): Promise<void> {
    try {
      const answer = await api.skeleton(this.#etag)
      if (answer) {
        this.#exchange(decodeSkeleton(answer.bytes))
        this.#etag = answer.etag
      }
      this.phase = 'ready'
      this.error = null
    } catch (error) {
      this.error = error
      if (this.phase !== 'ready') this.phase = 'failed'
    }
  }

  #exchange(after: Skeleton): void {
    const before = this.skeleton
    const map = mapItems(before, after)
    // Ids move along at once, so that nothing on the screen turns blank; the blocks are asked for again all the same.
    const items: Array<Item | undefined> = new Array(after.colors.length)
    for (let item = 0; item < map.length; item++) {
      const to = map[item] as number
      if (to >= 0) items[to] = this.#items[item]
    }
    this.#items = items
    this.#fresh.clear()
    for (const controller of this.#asked.values()) controller.abort()
    this.#asked.clear()
    this.skeleton = after
    this.version++
    this.onExchange?.(before, after, map)
  }

  get count(): number {
    return this.skeleton.colors.length
  }

  at(index: number): Item | undefined {
    return this.#items[index]
  }

  /** What is known of an asset without asking. */
  known(id: string): Item | undefined {
    return this.#items.find((item) => item?.id === id)
  }

  /** Asks for the blocks of a range and lets go of requests that nobody waits for any more. */
  want(from: number, to: number): void {
    if (this.count === 0) return
    const first = Math.floor(Math.max(0, from) / BLOCK)
    const last = Math.floor(Math.min(this.count - 1, Math.max(from, to - 1)) / BLOCK)
    for (const [n, controller] of this.#asked) {
      if (n < first || n > last) {
        controller.abort()
        this.#asked.delete(n)
      }
    }
    for (let n = first; n <= last; n++) if (!this.#fresh.has(n) && !this.#asked.has(n)) void this.#fetchBlock(n)
  }

  async #fetchBlock(n: number): Promise<void> {
    const controller = new AbortController()
    const rev = this.skeleton.rev
    this.#asked.set(n, controller)
    try {
      const block = await api.block(n, rev, controller.signal)
      if (controller.signal.aborted || block.rev !== this.skeleton.rev) return
      block.ids.forEach((id, offset) => {
        this.#items[block.start + offset] = {
          id,
          takenAt: block.taken_at[offset] ?? 0,
          received: block.received[offset] ?? false,
          faces: block.faces[offset] ?? -1,
          duration: block.durations[offset] ?? null,
          file: block.file[offset] ?? null,
        }
      })
      this.#fresh.add(n)
      this.version++
    } catch (error) {
      if (isAbort(error)) return
      if (error instanceof ApiError && error.status === 409) this.refresh()
    } finally {
      if (this.#asked.get(n) === controller) this.#asked.delete(n)
    }
  }

  /** Makes sure that the item's id is known; undefined if it cannot be had. */
  async itemAt(index: number): Promise<Item | undefined> {
    if (index < 0 || index >= this.count) return undefined
    if (!this.#items[index]) await this.#fetchBlock(Math.floor(index / BLOCK))
    return this.#items[index]
  }

  /** Where an asset is: known blocks first, then the blocks of the days around its date. */
  async find(id: string, day: number): Promise<number> {
    await this.#loading
    const known = this.#items.findIndex((item) => item?.id === id)
    if (known >= 0) return known
    const { days, dayStart } = this.skeleton
    for (let at = 0; at < days.length; at++) {
      if (Math.abs((days[at] as number) - day) > 1) continue
      const last = Math.floor(Math.max(dayStart[at] as number, (dayStart[at + 1] as number) - 1) / BLOCK)
      for (let n = Math.floor((dayStart[at] as number) / BLOCK); n <= last; n++) if (!this.#fresh.has(n)) await this.#fetchBlock(n)
    }
    return this.#items.findIndex((item) => item?.id === id)
  }
}

export const timeline = new Timeline()
