// Real addresses without a framework: a path, a query, and the browser's own history.

export interface Route {
  name: 'photos' | 'photo' | 'people' | 'person' | 'who' | 'events' | 'event' | 'guests' | 'poster' | 'wall' | 'approvals' | 'transfers' | 'profile' | 'settings' | 'doctor' | 'activity' | 'trash' | 'privacy' | 'missing'
  id: string
  query: URLSearchParams
}

const PATTERNS: ReadonlyArray<[RegExp, Route['name']]> = [
  [/^\/(?:photos)?$/, 'photos'],
  [/^\/photo\/([^/]+)$/, 'photo'],
  [/^\/people$/, 'people'],
  [/^\/people\/queue$/, 'who'],
  [/^\/people\/([^/]+)$/, 'person'],
  [/^\/events$/, 'events'],
  [/^\/events\/([^/]+)$/, 'event'],
  [/^\/events\/([^/]+)\/guests$/, 'guests'],
  [/^\/events\/([^/]+)\/poster$/, 'poster'],
  [/^\/events\/([^/]+)\/wall$/, 'wall'],
  [/^\/approvals$/, 'approvals'],
  [/^\/transfers$/, 'transfers'],
  [/^\/profile$/, 'profile'],
  [/^\/settings$/, 'settings'],
  [/^\/doctor$/, 'doctor'],
  [/^\/activity$/, 'activity'],
  [/^\/trash$/, 'trash'],
  [/^\/privacy$/, 'privacy'],
]

export function parseRoute(path: string, search: string): Route {
  const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path
  const query = new URLSearchParams(search)
  for (const [pattern, name] of PATTERNS) {
    const match = pattern.exec(trimmed)
    if (match) return { name, id: safeDecode(match[1] ?? ''), query }
  }
  return { name: 'missing', id: '', query }
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

class Router {
  route = $state.raw<Route>(parseRoute(location.pathname, location.search))
  /** The last screen that was not a photo; it stays alive under an open photo. */
  under = $state.raw<Route | null>(null)
  /** Depth of this tab's own history, so that "back" never leaves the dashboard. */
  #depth = 0
  #scroll = new Map<number, number>()
  #key = 0
  #nextKey = 1

  start(): void {
    history.scrollRestoration = 'manual'
    history.replaceState({ key: this.#key, depth: 0 }, '')
    if (this.route.name !== 'photo') this.under = this.route
    addEventListener('popstate', (event) => {
      this.#scroll.set(this.#key, scrollY)
      const state = event.state as { key: number; depth: number } | null
      this.#key = state?.key ?? 0
      this.#depth = state?.depth ?? 0
      this.#enter(true)
    })
    document.addEventListener('click', (event) => this.#click(event))
  }

  go(address: string, options: { replace?: boolean } = {}): void {
    if (address === location.pathname + location.search) return
    this.#scroll.set(this.#key, scrollY)
    if (options.replace) history.replaceState({ key: this.#key, depth: this.#depth }, '', address)
    else {
      this.#key = this.#nextKey++
      history.pushState({ key: this.#key, depth: ++this.#depth }, '', address)
    }
    this.#enter(false)
  }

  /** One layer back, or to `otherwise` when this page was opened by its address. */
  back(otherwise: string): void {
    if (this.#depth > 0) history.back()
    else this.go(otherwise, { replace: true })
  }

  #enter(returning: boolean): void {
    const before = this.route
    this.route = parseRoute(location.pathname, location.search)
    if (this.route.name === 'photo') return
    const same = this.under?.name === this.route.name && this.under.id === this.route.id
    // Coming back from a photo: the screen beneath never moved.
    if (before.name === 'photo' && same) return
    this.under = this.route
    const to = returning ? (this.#scroll.get(this.#key) ?? 0) : 0
    requestAnimationFrame(() => scrollTo(0, to))
  }

  #click(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = (event.target as Element).closest?.('a')
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    if (link.pathname.startsWith('/api/') || link.hash) return
    event.preventDefault()
    this.go(link.pathname + link.search)
  }
}

export const router = new Router()
