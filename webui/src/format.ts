// Words for numbers, sizes, times and distances, so that every screen says them alike.

const DAY_MS = 86_400_000
const locale = undefined

const long = new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' })
const monthYear = new Intl.DateTimeFormat(locale, { month: 'long', year: 'numeric', timeZone: 'UTC' })
const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' })
const wallClock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', timeZone: 'UTC' })
const dated = new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short' })
const datedYear = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' })
const numbers = new Intl.NumberFormat(locale)

/** A file's name as it may stand among other words: without what cannot be seen or turns the direction of what follows. */
export function fileName(name: string): string {
  return name.replace(/[\p{Cc}\u200e\u200f\u061c\u2028-\u202e\u2066-\u2069\ufeff]/gu, '').slice(0, 200)
}

/** A day number of the timeline (days since 1970-01-01, wall date) as a heading. */
export function dayHeading(day: number): string {
  return long.format(day * DAY_MS)
}

export function monthHeading(day: number): string {
  return monthYear.format(day * DAY_MS)
}

export function yearOf(day: number): number {
  return new Date(day * DAY_MS).getUTCFullYear()
}

export function dayOf(wallMs: number): number {
  return Math.floor(wallMs / DAY_MS)
}

/** Capture times are wall times taken as UTC, so they are shown in UTC: the clock on the wall of the photo. */
export function captureTime(wallMs: number): string {
  return `${long.format(wallMs)}, ${wallClock.format(wallMs)}`
}

export function count(value: number): string {
  return numbers.format(value)
}

/** `counted(1, 'photo')` is "1 photo", `counted(2, 'photo')` is "2 photos". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${numbers.format(value)} ${value === 1 ? one : many}`
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} bytes`
  const units = ['kB', 'MB', 'GB', 'TB']
  let amount = value / 1000
  let unit = 0
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000
    unit++
  }
  return `${amount < 9.95 ? amount.toFixed(1) : Math.round(amount)} ${units[unit]}`
}

/** A moment near now, in the reader's own time zone: "14:05", "yesterday, 14:05", "Sat 21 Nov, 14:05", "21 Nov 2024". */
export function moment(ms: number, now = Date.now()): string {
  const days = localDay(now) - localDay(ms)
  const time = clock.format(ms)
  if (days === 0) return `today, ${time}`
  if (days === 1) return `yesterday, ${time}`
  if (days === -1) return `tomorrow, ${time}`
  if (Math.abs(days) < 180) return `${dated.format(ms)}, ${time}`
  return datedYear.format(ms)
}

/** How long ago, roughly: "just now", "5 minutes ago", then `moment`. */
export function ago(ms: number, now = Date.now()): string {
  const seconds = (now - ms) / 1000
  if (seconds < 45) return 'just now'
  if (seconds < 3600) return `${counted(Math.max(1, Math.round(seconds / 60)), 'minute')} ago`
  if (seconds < 6 * 3600) return `${counted(Math.round(seconds / 3600), 'hour')} ago`
  return moment(ms, now)
}

export function duration(seconds: number): string {
  if (seconds < 90) return counted(Math.round(seconds), 'second')
  if (seconds < 90 * 60) return counted(Math.round(seconds / 60), 'minute')
  if (seconds < 36 * 3600) return counted(Math.round(seconds / 3600), 'hour')
  return counted(Math.round(seconds / 86_400), 'day')
}

/** A time in a video, or its length: "0:07", "12:34", "1:02:03". */
/** What is left of something that takes a while, in its largest unit: `40 s`, `3 min`, `2 h`. */
export function timeLeft(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`
}

export function playTime(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const two = (part: number) => String(part).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** The dates of an event: one day, a range, or nothing. */
export function dateRange(start: number | null | undefined, end: number | null | undefined): string {
  if (!start && !end) return 'No end date'
  const first = start ? datedYear.format(start) : null
  const last = end ? datedYear.format(end) : null
  if (first && last) {
    if (first === last) return first
    return datedYear.formatRange(start as number, end as number)
  }
  return first ? `From ${first}` : `Until ${last}`
}

/** Local midnight-based day number, to compare calendar days. */
function localDay(ms: number): number {
  const date = new Date(ms)
  return Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY_MS)
}

/** Heading of a local day in a log. */
export function logDay(ms: number, now = Date.now()): string {
  const days = localDay(now) - localDay(ms)
  if (days === 0) return 'Today'
  if (days === 1) return 'Yesterday'
  const date = new Date(ms)
  return long.format(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()))
}

export function timeOfDay(ms: number): string {
  return clock.format(ms)
}

export function quality(value: number): 'Good' | 'Fair' | 'Weak' {
  if (value >= 0.6) return 'Good'
  return value >= 0.35 ? 'Fair' : 'Weak'
}

/** `<input type=datetime-local>` speaks local wall time without a zone. */
export function toLocalInput(ms: number): string {
  const date = new Date(ms)
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

export function fromLocalInput(text: string): number | null {
  if (!text) return null
  const ms = new Date(text).getTime()
  return Number.isNaN(ms) ? null : ms
}

/** At most two letters for a round picture of somebody. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean)
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0] ?? '?']
  return letters.map((word) => [...(word ?? '?')][0]?.toUpperCase() ?? '?').join('')
}

/** A stable choice out of `size` for a name, for its colour. */
export function hueOf(name: string, size: number): number {
  let hash = 0
  for (const letter of name) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0
  return hash % size
}

export interface Circle {
  x: number
  y: number
  r: number
}

/** The circles that are drawn for a key, in hundredths of the picture: the same on every screen, and others for another key. */
export function circlesOf(key: string): Circle[] {
  let state = 0x811c9dc5
  const stir = (code: number) => {
    state = Math.imul(state ^ code, 0x01000193) >>> 0
    return state
  }
  for (const letter of key) stir(letter.codePointAt(0) ?? 0)
  // High bits: the low ones of this hash are poor.
  const next = (from: number, to: number) => from + ((stir(state >>> 24) >>> 16) % (to - from))
  return Array.from({ length: 3 }, () => ({ x: next(0, 101), y: next(0, 101), r: next(18, 55) }))
}

/** Words of the daemon as the beginning of a line. */
export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}
