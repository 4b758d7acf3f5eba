// Elements without a framework: text is always text, so nothing that a guest or a host typed is ever read as a page.

type Child = Node | string | null | false | undefined

/** Makes an element: properties, `on…` handlers, `data-…` and `aria-…` attributes, then what is in it. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Record<string, unknown> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false || value === null) continue
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value as EventListener)
    else if (name.includes('-') || name === 'for' || name === 'role' || name === 'capture') element.setAttribute(name, String(value))
    else (element as unknown as Record<string, unknown>)[name] = value
  }
  fill(element, ...children)
  return element
}

/** Puts these in the place of what is in an element. */
export function fill(element: Element, ...children: Child[]) {
  element.replaceChildren(...children.filter((child): child is Node | string => Boolean(child)))
}

/** Bytes as people say it. */
export function size(bytes: number) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`
  return `${Math.max(1, Math.round(bytes / 1e3))} kB`
}

/** A length as players say it. */
export function length(ms: number) {
  const seconds = Math.round(ms / 1000)
  const two = (count: number) => String(count).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

export function day(at: number) {
  return new Date(at).toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' })
}
