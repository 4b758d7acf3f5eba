// Whether this page may talk to the daemon (session) and whether the daemon answers (reach).
import { api, ApiError, watchRequests } from '../api/client'

import type { SignInView, VaultView } from '../api/types'

type Session = 'checking' | 'first' | 'open' | 'locked' | 'restoring' | 'none' | 'refused'

class Connection {
  session = $state<Session>('checking')
  /** The vault from outside, as it was seen last. */
  vault = $state.raw<VaultView | null>(null)
  /** How this browser signs in. */
  door = $state.raw<SignInView | null>(null)
  /** Why a launch link was refused, in the daemon's words. */
  refusal = $state('')
  /** The daemon did not answer the last request. */
  lost = $state(false)

  constructor() {
    watchRequests({
      reached: () => (this.lost = false),
      lost: () => (this.lost = true),
      locked: () => {
        if (this.session === 'open' || this.session === 'first') void this.start()
      },
      signedOut: () => {
        // On the daemon's own machine a locked vault is shown to everybody who comes; over the network it is not.
        if (this.session !== 'checking' && (this.session !== 'locked' || this.door?.over_network)) this.session = 'none'
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
        } catch (error) {
          if (!(error instanceof ApiError)) throw error
          this.refusal = error.message
        }
      }
      this.door = await api.signInView()
      // Over the network nothing is seen before that, not even whether the vault is locked.
      if (this.door.over_network && !(await api.hasSession())) {
        this.session = token !== null ? 'refused' : 'none'
        return
      }
      this.vault = await api.vault()
      this.session = await this.#sessionFor(this.vault, token !== null)
    } catch {
      this.lost = true
      if (token !== null) history.replaceState(history.state, '', `${location.pathname}#launch=${token}`)
    }
  }

  async #sessionFor(vault: VaultView, withToken: boolean): Promise<Session> {
    const { phase } = vault
    // How far these are may be seen by anybody; what was cut short, only its owner may go on with.
    if (phase === 'restoring' || phase === 'erasing') return 'restoring'
    if (phase !== 'open' && phase !== 'unfinished') return 'locked'
    if (!(await api.hasSession())) return withToken ? 'refused' : 'none'
    if (phase === 'unfinished') return 'restoring'
    return vault.first_run ? 'first' : 'open'
  }

  /** The first steps are over: they were gone through, or passed over. */
  async endFirstRun(): Promise<void> {
    await api.endFirstRun()
    this.session = 'open'
  }

  /** Signs in over the network. */
  async signIn(password: string): Promise<void> {
    await api.signInByPassword(password)
    this.refusal = ''
    await this.start()
  }

  /** Locks the vault of the daemon. */
  async lock(): Promise<void> {
    await api.lock()
    await this.start()
  }

  /** Asks again after "Try again", and when the live socket was closed: the vault may have been locked elsewhere. */
  async retry(): Promise<void> {
    if (this.session !== 'open') return this.start()
    try {
      if ((await api.vault()).phase === 'open') await api.hasSession()
      else await this.start()
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
