import { wordsFor } from '../api/client'

/** What a form asks the daemon for: whether it is under way, and why it failed. */
export class Attempt {
  busy = $state(false)
  problem = $state('')

  async make(work: () => Promise<void>) {
    this.busy = true
    this.problem = ''
    try {
      await work()
    } catch (error) {
      this.problem = wordsFor(error)
    } finally {
      this.busy = false
    }
  }
}
