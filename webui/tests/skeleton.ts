// Builds the bytes of a timeline skeleton the way the daemon does, for the tests.

export interface Day {
  day: number
  /** Colour (RGB565) and ratio code of each photo. */
  items: Array<[color: number, ratio: number]>
}

export function encodeSkeleton(days: Day[], rev = 1): ArrayBuffer {
  const items = days.flatMap((day) => day.items)
  const view = new DataView(new ArrayBuffer(24 + days.length * 8 + items.length * 3))
  view.setUint32(0, 0x4b53_4649, true)
  view.setUint32(4, 1, true)
  view.setBigUint64(8, BigInt(rev), true)
  view.setUint32(16, days.length, true)
  view.setUint32(20, items.length, true)
  let at = 24
  for (const { day, items } of days) {
    view.setInt32(at, day, true)
    view.setUint32(at + 4, items.length, true)
    at += 8
  }
  for (const [color, ratio] of items) {
    view.setUint16(at, color, true)
    view.setUint8(at + 2, ratio)
    at += 3
  }
  return view.buffer
}

/** `count` photos with reproducible shapes and colours over days of uneven size. */
export function library(count: number): Day[] {
  let seed = 7
  const next = (below: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const days: Day[] = []
  let day = 20_700
  for (let left = count; left > 0; ) {
    const size = Math.min(left, next(4) === 0 ? 1 + next(180) : 1 + next(5))
    days.push({ day, items: Array.from({ length: size }, () => [next(65_536), 100 + next(60)]) })
    day -= 1 + next(4)
    left -= size
  }
  return days
}
