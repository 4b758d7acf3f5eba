// Which photo of an event is shown next on a wall: what is new comes first, the rest goes round and round.

export class NextPhotos {
  #all: string[] = []
  #fresh: string[] = []
  #round: string[] = []
  #last = ''

  /** The photos that there are now. Those that are gone are shown no more. */
  know(ids: readonly string[]): void {
    const before = new Set(this.#all)
    const now = new Set(ids)
    const added = this.#all.length === 0 ? [] : ids.filter((id) => !before.has(id))
    this.#all = [...ids]
    this.#fresh = [...this.#fresh.filter((id) => now.has(id)), ...added]
    this.#round = this.#round.filter((id) => now.has(id))
  }

  /** The next photo; undefined when there is none. */
  take(): string | undefined {
    const next = this.peek()
    if (next === undefined) return undefined
    if (this.#fresh[0] === next) this.#fresh.shift()
    else this.#round.shift()
    this.#last = next
    return next
  }

  /** The same, without taking it. */
  peek(): string | undefined {
    if (this.#fresh.length > 0) return this.#fresh[0]
    if (this.#round.length === 0) {
      this.#round = [...this.#all]
      // Not the same twice in a row.
      if (this.#round.length > 1 && this.#round[0] === this.#last) this.#round.push(this.#round.shift() as string)
    }
    return this.#round[0]
  }
}
