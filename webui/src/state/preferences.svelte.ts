// How this browser likes the dashboard; kept in this browser only.

export type Theme = 'system' | 'light' | 'dark'
const THEMES: readonly Theme[] = ['system', 'light', 'dark']

class Preferences {
  #theme = $state<Theme>(read('theme', THEMES, 'system'))
  #keys = $state(read('single-keys', ['on', 'off'], 'on') === 'on')

  #popups = $state(read('popups', ['on', 'off'], 'off') === 'on')

  /** Whether this browser shows notifications while nobody looks at the dashboard. */
  get popups(): boolean {
    return this.#popups
  }
  set popups(on: boolean) {
    this.#popups = on
    write('popups', on ? 'on' : 'off')
  }

  get theme(): Theme {
    return this.#theme
  }
  set theme(theme: Theme) {
    this.#theme = theme
    write('theme', theme)
    this.apply()
  }

  /** Single-letter shortcuts, which can be switched off (WCAG 2.1.4). */
  get singleKeys(): boolean {
    return this.#keys
  }
  set singleKeys(on: boolean) {
    this.#keys = on
    write('single-keys', on ? 'on' : 'off')
  }

  apply(): void {
    if (this.#theme === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = this.#theme
  }
}

function read<V extends string>(name: string, allowed: readonly V[], otherwise: V): V {
  try {
    const value = localStorage.getItem(`inframe.${name}`) as V | null
    return value !== null && allowed.includes(value) ? value : otherwise
  } catch {
    return otherwise
  }
}

function write(name: string, value: string): void {
  try {
    localStorage.setItem(`inframe.${name}`, value)
  } catch {
    // A browser that keeps nothing still works, it only forgets.
  }
}

export const preferences = new Preferences()
