import { describe, expect, it } from 'vitest'
import { cssColor, dayOfItem, decodeSkeleton, EMPTY, mapItems, SkeletonError } from '../src/timeline/skeleton'
import { encodeSkeleton, library, type Day } from './skeleton'

const two: Day[] = [
  { day: 20_000, items: [[0xf800, 128], [0x07e0, 0]] },
  { day: -3, items: [[0x001f, 255]] },
]

describe('decoding', () => {
  it('reads days, colours and shapes', () => {
    const skeleton = decodeSkeleton(encodeSkeleton(two, 9))
    expect(skeleton.rev).toBe(9)
    expect([...skeleton.days]).toEqual([20_000, -3])
    expect([...skeleton.dayStart]).toEqual([0, 2, 3])
    expect([...skeleton.colors].map(cssColor)).toEqual(['rgb(255 0 0)', 'rgb(0 255 0)', 'rgb(0 0 255)'])
    expect(skeleton.ratios[1]).toBeCloseTo(0.1)
    expect(skeleton.ratios[2]).toBeCloseTo(10)
  })

  it('reads an empty library', () => {
    const skeleton = decodeSkeleton(encodeSkeleton([]))
    expect(skeleton.colors.length).toBe(0)
    expect(mapItems(EMPTY, skeleton).length).toBe(0)
  })

  const damage: Array<[string, (view: DataView) => ArrayBuffer]> = [
    ['another magic', (view) => (view.setUint32(0, 1), view.buffer as ArrayBuffer)],
    ['a newer version', (view) => (view.setUint32(4, 2, true), view.buffer as ArrayBuffer)],
    ['a cut end', (view) => view.buffer.slice(0, -1) as ArrayBuffer],
    ['a cut header', (view) => view.buffer.slice(0, 10) as ArrayBuffer],
    ['days that do not add up', (view) => (view.setUint32(28, 3, true), view.buffer as ArrayBuffer)],
  ]
  it.each(damage)('refuses %s', (_, spoil) => {
    expect(() => decodeSkeleton(spoil(new DataView(encodeSkeleton(two))))).toThrow(SkeletonError)
  })
})

it('finds the day of every item', () => {
  const skeleton = decodeSkeleton(encodeSkeleton(library(2_000)))
  for (let day = 0; day < skeleton.days.length; day++) {
    expect(dayOfItem(skeleton, skeleton.dayStart[day]!)).toBe(day)
    expect(dayOfItem(skeleton, skeleton.dayStart[day + 1]! - 1)).toBe(day)
  }
})

describe('following items from one revision to the next', () => {
  const decode = (days: Day[]) => decodeSkeleton(encodeSkeleton(days))

  it('moves everything down when a newer day arrives', () => {
    const after = decode([{ day: 20_001, items: [[5, 5], [6, 6]] }, ...two])
    expect([...mapItems(decode(two), after)]).toEqual([2, 3, 4])
  })

  it('keeps the neighbours of a photo that came between them', () => {
    const after = decode([{ day: 20_000, items: [two[0]!.items[0]!, [9, 9], two[0]!.items[1]!] }, two[1]!])
    expect([...mapItems(decode(two), after)]).toEqual([0, 2, 3])
  })

  it('marks what is gone', () => {
    expect([...mapItems(decode(two), decode([two[1]!]))]).toEqual([-1, -1, 0])
  })
})
