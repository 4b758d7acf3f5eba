// Justified rows of the whole library: pure arithmetic over typed arrays, fast enough to be done again on every change.
import type { Skeleton } from './skeleton'

export interface LayoutOptions {
  width: number
  /** Height that rows aim at. */
  rowHeight: number
  gap: number
  headingHeight: number
  /** Space under a day. */
  dayGap: number
  /** Short days stand beside each other, `packGap` apart and at least `packMin` wide; 0 switches it off. */
  packMin: number
  packGap: number
}

export interface Layout {
  height: number
  /** Left and width of every item; top and height are its line's. */
  x: Float32Array
  w: Float32Array
  /** Lines from top to bottom; `lineStart` has one entry more, the last is the number of items. */
  lineTop: Float64Array
  lineHeight: Float32Array
  lineStart: Uint32Array
  lineCount: number
  /** Top and left of every day's heading. */
  headingTop: Float64Array
  headingX: Float32Array
  headingWidth: Float32Array
}

/** A last row may grow by this much to fill the width before it is left ragged. */
const LAST_ROW_STRETCH = 1.25

export function layoutTimeline(skeleton: Skeleton, options: LayoutOptions): Layout {
  const { width, rowHeight, gap, headingHeight, dayGap, packMin, packGap } = options
  const { ratios, dayStart } = skeleton
  const items = ratios.length
  const days = skeleton.days.length
  const x = new Float32Array(items)
  const w = new Float32Array(items)
  const lineTop = new Float64Array(items)
  const lineHeight = new Float32Array(items)
  const lineStart = new Uint32Array(items + 1)
  const headingTop = new Float64Array(days)
  const headingX = new Float32Array(days)
  const headingWidth = new Float32Array(days)
  let line = 0
  let top = 0
  // State of the line that short days are being packed on.
  let packX = -1
  let packTop = 0

  for (let day = 0; day < days; day++) {
    const from = dayStart[day] as number
    const to = dayStart[day + 1] as number
    if (from === to) {
      headingTop[day] = top
      continue
    }
    const natural = naturalWidth(ratios, from, to, rowHeight, gap, width)
    const short = packMin > 0 && natural < width / LAST_ROW_STRETCH
    const needed = Math.max(natural, packMin)
    if (short && packX >= 0 && packX + packGap + needed <= width) {
      const left = packX + packGap
      place(from, to, left, rowHeight)
      headingTop[day] = packTop
      headingX[day] = left
      headingWidth[day] = needed
      packX = left + needed
      lineStart[line] = to
      continue
    }
    headingTop[day] = top
    headingWidth[day] = width
    packX = -1
    packTop = top
    top += headingHeight
    let start = from
    while (start < to) {
      let sum = 0
      let end = start
      while (end < to) {
        sum += ratios[end] as number
        end++
        if (sum * rowHeight + gap * (end - start - 1) >= width) break
      }
      let height = (width - gap * (end - start - 1)) / sum
      const last = ratios[end - 1] as number
      if (end - start > 1 && height < rowHeight) {
        // Break before the item that overflowed if that comes closer to the wanted height.
        const without = (width - gap * (end - start - 2)) / (sum - last)
        if (without / rowHeight < rowHeight / height) {
          end--
          height = without
        }
      }
      if (end === to && height > rowHeight * LAST_ROW_STRETCH) height = rowHeight
      place(start, end, 0, height)
      lineTop[line] = top
      lineHeight[line] = height
      lineStart[line] = start
      line++
      lineStart[line] = end
      top += height + gap
      start = end
    }
    top += dayGap - gap
    if (short) {
      packX = needed
      headingWidth[day] = needed
    }
  }
  return { height: Math.max(0, top), x, w, lineTop, lineHeight, lineStart, lineCount: line, headingTop, headingX, headingWidth }

  function place(start: number, end: number, left: number, height: number): void {
    let at = left
    for (let item = start; item < end; item++) {
      const itemWidth = Math.min((ratios[item] as number) * height, width)
      x[item] = at
      w[item] = itemWidth
      at += itemWidth + gap
    }
  }
}

/** Width of a row at the wanted height, or `limit` as soon as it is reached. */
function naturalWidth(ratios: Float32Array, from: number, to: number, rowHeight: number, gap: number, limit: number): number {
  let sum = 0
  for (let item = from; item < to; item++) {
    sum += (ratios[item] as number) * rowHeight + (item > from ? gap : 0)
    if (sum >= limit) return limit
  }
  return sum
}

/** The last line that starts at or above `y`. */
export function lineAt(layout: Layout, y: number): number {
  let low = 0
  let high = layout.lineCount - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((layout.lineTop[middle] as number) <= y) low = middle
    else high = middle - 1
  }
  return Math.max(0, low)
}

/** Lines that touch the band from `top` to `bottom`, as a half-open range. */
export function linesBetween(layout: Layout, top: number, bottom: number): [number, number] {
  if (layout.lineCount === 0) return [0, 0]
  let first = lineAt(layout, top)
  if ((layout.lineTop[first] as number) + (layout.lineHeight[first] as number) < top && first < layout.lineCount - 1) first++
  return [first, lineAt(layout, bottom) + 1]
}

/** The line that holds an item. */
export function lineOfItem(layout: Layout, item: number): number {
  let low = 0
  let high = layout.lineCount - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((layout.lineStart[middle] as number) <= item) low = middle
    else high = middle - 1
  }
  return low
}

/** The item of the next or previous line that is straight below or above. */
export function itemInDirection(layout: Layout, item: number, step: 1 | -1): number {
  const target = lineOfItem(layout, item) + step
  if (target < 0 || target >= layout.lineCount) return item
  const middle = (layout.x[item] as number) + (layout.w[item] as number) / 2
  let best = item
  let distance = Infinity
  for (let other = layout.lineStart[target] as number; other < (layout.lineStart[target + 1] as number); other++) {
    const away = Math.abs((layout.x[other] as number) + (layout.w[other] as number) / 2 - middle)
    if (away < distance) {
      distance = away
      best = other
    }
  }
  return best
}
