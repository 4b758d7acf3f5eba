// Reads the binary skeleton of the timeline: the shape and colour of every photo, before any photo is asked for.

const MAGIC = 0x4b53_4649 // "IFSK", little-endian
const VERSION = 1
const HEADER_BYTES = 24
const DAY_BYTES = 8
const ITEM_BYTES = 3

export interface Skeleton {
  rev: number
  /** Days since 1970-01-01, newest first. */
  days: Int32Array
  /** Index of each day's first item; one entry more than `days`, the last is the number of items. */
  dayStart: Uint32Array
  /** Mean colour, RGB565. */
  colors: Uint16Array
  /** Width / height, 0.1 to 10. */
  ratios: Float32Array
}

export const EMPTY: Skeleton = {
  rev: 0,
  days: new Int32Array(0),
  dayStart: new Uint32Array(1),
  colors: new Uint16Array(0),
  ratios: new Float32Array(0),
}

export class SkeletonError extends Error {}

/** Aspect ratios are sent on a log scale in one byte. */
const RATIO_OF_CODE = Float32Array.from({ length: 256 }, (_, code) => 0.1 * Math.exp((code / 255) * Math.log(100)))

export function decodeSkeleton(bytes: ArrayBuffer): Skeleton {
  const view = new DataView(bytes)
  if (bytes.byteLength < HEADER_BYTES || view.getUint32(0, true) !== MAGIC) throw new SkeletonError('not a timeline skeleton')
  if (view.getUint32(4, true) !== VERSION) throw new SkeletonError('a newer kind of timeline skeleton: reload the page')
  const rev = Number(view.getBigUint64(8, true))
  const dayCount = view.getUint32(16, true)
  const itemCount = view.getUint32(20, true)
  if (bytes.byteLength !== HEADER_BYTES + dayCount * DAY_BYTES + itemCount * ITEM_BYTES) throw new SkeletonError('a cut timeline skeleton')

  const days = new Int32Array(dayCount)
  const dayStart = new Uint32Array(dayCount + 1)
  let at = HEADER_BYTES
  let start = 0
  for (let day = 0; day < dayCount; day++, at += DAY_BYTES) {
    days[day] = view.getInt32(at, true)
    dayStart[day] = start
    start += view.getUint32(at + 4, true)
  }
  dayStart[dayCount] = start
  if (start !== itemCount) throw new SkeletonError('a timeline skeleton whose days do not add up')

  const colors = new Uint16Array(itemCount)
  const ratios = new Float32Array(itemCount)
  for (let item = 0; item < itemCount; item++, at += ITEM_BYTES) {
    colors[item] = view.getUint16(at, true)
    ratios[item] = RATIO_OF_CODE[view.getUint8(at + 2)] as number
  }
  return { rev, days, dayStart, colors, ratios }
}

export function cssColor(rgb565: number): string {
  const red = ((rgb565 >> 11) * 255) / 31
  const green = (((rgb565 >> 5) & 63) * 255) / 63
  const blue = ((rgb565 & 31) * 255) / 31
  return `rgb(${Math.round(red)} ${Math.round(green)} ${Math.round(blue)})`
}

/** The day (index into `days`) that holds an item. */
export function dayOfItem(skeleton: Skeleton, item: number): number {
  let low = 0
  let high = skeleton.days.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((skeleton.dayStart[middle] as number) <= item) low = middle
    else high = middle - 1
  }
  return low
}

/**
 * Where each item of `before` is in `after`, or -1. Within a day the common head and the common tail are matched, which is
 * exact for photos added or removed in one place.
 */
export function mapItems(before: Skeleton, after: Skeleton): Int32Array {
  const map = new Int32Array(before.colors.length).fill(-1)
  let other = 0
  for (let day = 0; day < before.days.length; day++) {
    const number = before.days[day] as number
    while (other < after.days.length && (after.days[other] as number) > number) other++
    if (other >= after.days.length) break
    if (after.days[other] !== number) continue
    const from = before.dayStart[day] as number
    const to = before.dayStart[day + 1] as number
    const afterFrom = after.dayStart[other] as number
    const afterTo = after.dayStart[other + 1] as number
    const shared = Math.min(to - from, afterTo - afterFrom)
    const same = (a: number, b: number) => before.colors[a] === after.colors[b] && before.ratios[a] === after.ratios[b]
    let head = 0
    while (head < shared && same(from + head, afterFrom + head)) map[from + head] = afterFrom + head++
    let tail = 0
    while (tail < shared - head && same(to - 1 - tail, afterTo - 1 - tail)) {
      map[to - 1 - tail] = afterTo - 1 - tail
      tail++
    }
  }
  return map
}
