// Whether this page may talk to the daemon (session) and whether the daemon answers (reach).
import { api, ApiError, watchRequests } from '../api/client'

type Session = 'checking' | 'open' | 'none' | 'refused'

class Connection {
  session = $state<Session>('checking')
  /** Why a launch link was refused, in the daemon's words. */
  refusal = $state('')
  /** The daemon did not answer the last request. */
  lost = $state(false)

  constructor() {
    watchRequests({
      reached: () => (this.lost = false),
      lost: () => (this.lost = true),
      signedOut: () => {
        if (this.session === 'open') this.session = 'none'
      },
    })
  }

  /** Exchanges the launch token of the address, if there is one, and looks whether a session is open. */
  async start(): Promise<void> {
    const token = takeLaunchToken()
    this.session = 'checking'
    try {
      if (token !== null) {
        try {
          await api.openSession(token)
          this.session = 'open'
          return
        } catch (error) {
          if (!(error instanceof ApiError)) throw error
          this.refusal = error.message
        }
      }
      if (await api.hasSession()) this.session = 'open'
      else this.session = token === null ? 'none' : 'refused'
    } catch {
      this.lost = true
      if (token !== null) history.replaceState(history.state, '', `${location.pathname}#launch=${token}`)
    }
  }

  /** Asks again after "Try again". */
  async retry(): Promise<void> {
    if (this.session !== 'open') return this.start()
    try {
      await api.hasSession()
    } catch {
      // The watcher has noted it.
    }
  }
}

/** The token must not stay in the address bar or in the history. */
function takeLaunchToken(): string | null {
  const match = /^#launch=(.+)$/.exec(location.hash)
  if (!match) return null
  history.replaceState(history.state, '', location.pathname + location.search)
  return decodeURIComponent(match[1] as string)
}

export const connection = new Connection()
