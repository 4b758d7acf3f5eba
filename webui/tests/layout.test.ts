import { describe, expect, it } from 'vitest'
import { itemInDirection, layoutTimeline, lineAt, lineOfItem, linesBetween, type LayoutOptions } from '../src/timeline/layout'
import { decodeSkeleton } from '../src/timeline/skeleton'
import { encodeSkeleton, library } from './skeleton'

const desktop: LayoutOptions = { width: 1140, rowHeight: 204, gap: 4, headingHeight: 46, dayGap: 22, packMin: 190, packGap: 24 }
const phone: LayoutOptions = { width: 390, rowHeight: 124, gap: 2, headingHeight: 44, dayGap: 14, packMin: 0, packGap: 24 }

describe.each([
  ['desktop', desktop],
  ['phone', phone],
])('layout of 10,000 photos on a %s', (_, options) => {
  const skeleton = decodeSkeleton(encodeSkeleton(library(10_000)))
  const layout = layoutTimeline(skeleton, options)

  it('places every photo once, in order, inside the width', () => {
    expect(layout.lineStart[0]).toBe(0)
    expect(layout.lineStart[layout.lineCount]).toBe(10_000)
    for (let line = 0; line < layout.lineCount; line++) {
      expect(layout.lineStart[line + 1]!).toBeGreaterThan(layout.lineStart[line]!)
      for (let item = layout.lineStart[line]!; item < layout.lineStart[line + 1]!; item++) {
        expect(layout.x[item]! + layout.w[item]!).toBeLessThanOrEqual(options.width + 0.5)
        if (item > layout.lineStart[line]!) expect(layout.x[item]!).toBeGreaterThan(layout.x[item - 1]! + layout.w[item - 1]!)
      }
    }
  })

  it('never lets two lines overlap', () => {
    for (let line = 1; line < layout.lineCount; line++)
      expect(layout.lineTop[line]!).toBeGreaterThanOrEqual(layout.lineTop[line - 1]! + layout.lineHeight[line - 1]!)
    const last = layout.lineCount - 1
    expect(layout.lineTop[last]! + layout.lineHeight[last]!).toBeLessThanOrEqual(layout.height)
  })

  it('keeps rows near the wanted height', () => {
    for (let line = 0; line < layout.lineCount; line++) {
      if (layout.lineStart[line + 1]! - layout.lineStart[line]! < 2) continue
      expect(layout.lineHeight[line]!).toBeGreaterThan(options.rowHeight * 0.6)
      expect(layout.lineHeight[line]!).toBeLessThan(options.rowHeight * 1.6)
    }
  })

  it('finds lines by height and by item', () => {
    for (let line = 0; line < layout.lineCount; line++) {
      expect(lineAt(layout, layout.lineTop[line]!)).toBe(line)
      expect(lineOfItem(layout, layout.lineStart[line]!)).toBe(line)
      expect(lineOfItem(layout, layout.lineStart[line + 1]! - 1)).toBe(line)
    }
  })

  it('draws only what touches a band', () => {
    const [from, to] = linesBetween(layout, 5_000, 5_900)
    expect(layout.lineTop[from]! + layout.lineHeight[from]!).toBeGreaterThanOrEqual(5_000)
    expect(layout.lineTop[to - 1]!).toBeLessThanOrEqual(5_900)
    expect(layout.lineStart[to]! - layout.lineStart[from]!).toBeLessThan(60)
  })

  it('moves one line up or down, and stays at the ends', () => {
    const below = itemInDirection(layout, 500, 1)
    expect(lineOfItem(layout, below)).toBe(lineOfItem(layout, 500) + 1)
    expect(itemInDirection(layout, 0, -1)).toBe(0)
    expect(itemInDirection(layout, 9_999, 1)).toBe(9_999)
  })
})

it('puts short days beside each other only where there is room for their headings', () => {
  const skeleton = decodeSkeleton(encodeSkeleton([3, 2, 1].map((day) => ({ day, items: [[1, 128]] }))))
  const wide = layoutTimeline(skeleton, desktop)
  expect(wide.lineCount).toBe(1)
  expect(new Set(wide.headingTop).size).toBe(1)
  expect(layoutTimeline(skeleton, phone).lineCount).toBe(3)
})

it('has no height without photos', () => {
  const layout = layoutTimeline(decodeSkeleton(encodeSkeleton([])), desktop)
  expect(layout.height).toBe(0)
  expect(linesBetween(layout, 0, 900)).toEqual([0, 0])
})
