// Something the daemon knows, kept fresh while a screen shows it.
import { live, type Topic } from './live.svelte'

const GATHER_MS = 150

export class Resource<V> {
  value = $state.raw<V | null>(null)
  error = $state.raw<unknown>(null)
  loading = $state(false)
  #fetch: () => Promise<V>
  #users = 0
  #stale = true
  #timer: ReturnType<typeof setTimeout> | null = null
  #run = 0

  constructor(topics: readonly Topic[], fetch: () => Promise<V>) {
    this.#fetch = fetch
    if (topics.length > 0) live.on(topics, () => this.refresh())
  }

  /** Call while a component is set up: loads now if needed, and again on every change until it is gone. */
  use(): this {
    $effect(() => {
      this.#users++
      if (this.#stale) void this.load()
      return () => {
        this.#users--
      }
    })
    return this
  }

  /** Loads again soon; several calls in a row make one request. */
  refresh(): void {
    this.#stale = true
    if (this.#users === 0 || this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      void this.load()
    }, GATHER_MS)
  }

  async load(): Promise<void> {
    const run = ++this.#run
    this.loading = true
    this.#stale = false
    try {
      const value = await this.#fetch()
      if (run !== this.#run) return
      this.value = value
      this.error = null
    } catch (error) {
      if (run !== this.#run) return
      this.error = error
      this.#stale = true
    } finally {
      if (run === this.#run) this.loading = false
    }
  }

  /** Takes a value that another call returned; an answer still under way is older and is dropped. */
  set(value: V): void {
    this.#run++
    this.loading = false
    this.value = value
    this.error = null
    this.#stale = false
  }
}
