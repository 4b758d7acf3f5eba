import { afterEach, beforeEach, expect, it, vi } from 'vitest'

class Socket {
  static all: Socket[] = []
  onopen = () => {}
  onclose = () => {}
  onmessage = (_: { data: string }) => {}
  constructor(readonly url: string) {
    Socket.all.push(this)
  }
  close() {
    this.onclose()
  }
}

const visiblePage = () => Object.assign(new EventTarget(), { hidden: false })
let page = visiblePage()
const last = () => Socket.all.at(-1)!
const say = (seq: number, what: string, id: string | null = null) => last().onmessage({ data: JSON.stringify({ seq, what, id }) })

async function started() {
  const { live } = await import('../src/state/live.svelte')
  live.start()
  last().onopen()
  return live
}

beforeEach(() => {
  vi.resetModules()
  vi.useFakeTimers()
  Socket.all = []
  page = visiblePage()
  vi.stubGlobal('WebSocket', Socket)
  vi.stubGlobal('document', page)
  vi.stubGlobal('location', { protocol: 'http:', host: 'here' })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('comes back with the last number it heard', async () => {
  const live = await started()
  expect(last().url).toBe('ws://here/api/v1/live?since=0')
  say(41, 'timeline')
  last().onclose()
  expect(live.connected).toBe(false)
  vi.advanceTimersByTime(1_000)
  expect(Socket.all.length).toBe(2)
  expect(last().url).toContain('since=41')
})

it('waits longer after every failure and starts anew after a success', async () => {
  await started()
  const tries = (ms: number) => {
    const before = Socket.all.length
    vi.advanceTimersByTime(ms)
    return Socket.all.length - before
  }
  last().onclose()
  expect(tries(700)).toBe(1)
  for (let failure = 0; failure < 8; failure++) {
    last().onclose()
    vi.advanceTimersByTime(30_000)
  }
  last().onclose()
  expect(tries(10_000)).toBe(0)
  expect(tries(20_000)).toBe(1)
  last().onopen()
  last().onclose()
  expect(tries(700)).toBe(1)
})

it('sleeps while the page is hidden', async () => {
  await started()
  page.hidden = true
  page.dispatchEvent(new Event('visibilitychange'))
  vi.advanceTimersByTime(60_000)
  expect(Socket.all.length).toBe(1)
  page.hidden = false
  page.dispatchEvent(new Event('visibilitychange'))
  expect(Socket.all.length).toBe(2)
})

it('stays awake for notices alone, and makes up for the rest', async () => {
  const live = await started()
  const heard: string[] = []
  live.on(['events'], () => heard.push('events'))
  live.on(['notices'], () => heard.push('notices'))
  live.stayAwake(true)
  page.hidden = true
  page.dispatchEvent(new Event('visibilitychange'))
  say(1, 'events', 'e1')
  say(2, 'notices')
  expect(heard).toEqual(['notices'])
  expect(Socket.all.length).toBe(1)
  page.hidden = false
  page.dispatchEvent(new Event('visibilitychange'))
  expect(heard).toEqual(['notices', 'events', 'notices'])
  page.hidden = true
  page.dispatchEvent(new Event('visibilitychange'))
  live.stayAwake(false)
  expect(live.connected).toBe(false)
  expect(Socket.all.length).toBe(1)
})

it('tells those who listen, and everybody after a gap', async () => {
  const live = await started()
  const heard: string[] = []
  live.on(['events'], (id) => heard.push(`events ${id}`))
  const leave = live.on(['asset', 'timeline'], (id) => heard.push(`asset ${id}`))
  say(1, 'events', 'e1')
  say(2, 'profile')
  last().onmessage({ data: 'not json' })
  say(3, 'resync')
  leave()
  say(4, 'asset', 'a1')
  expect(heard).toEqual(['events e1', 'events null', 'asset null'])
})
