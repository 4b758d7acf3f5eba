import { expect, it } from 'vitest'
import { ago, bytes, circlesOf, counted, dateRange, duration, fileName, fromLocalInput, initials, moment, quality, toLocalInput } from '../src/format'

const NOON = new Date(2026, 10, 21, 12).getTime()
const HOUR = 3_600_000

it('says sizes in units people know', () => {
  expect([0, 999, 1_000, 9_949, 999_499, 999_500, 12_345_678, 5e13].map(bytes)).toEqual([
    '0 bytes', '999 bytes', '1.0 kB', '9.9 kB', '999 kB', '1.0 MB', '12 MB', '50 TB',
  ])
})

it('shows no name of a file that turns the text around it', () => {
  expect(fileName('a\u202egpj.exe\u2066')).toBe('agpj.exe')
  expect(fileName('\u0000Strand\u001b[31m.jpg\r\n')).toBe('Strand[31m.jpg')
  expect(fileName('x'.repeat(10_000))).toHaveLength(200)
})

it('counts with the right word', () => {
  expect([counted(0, 'photo'), counted(1, 'photo'), counted(2, 'person', 'people')]).toEqual(['0 photos', '1 photo', '2 people'])
})

it('names days near now by word', () => {
  expect(moment(NOON, NOON)).toMatch(/^today, /)
  expect(moment(NOON - 24 * HOUR, NOON)).toMatch(/^yesterday, /)
  expect(moment(NOON + 24 * HOUR, NOON)).toMatch(/^tomorrow, /)
  expect(moment(NOON - 400 * 24 * HOUR, NOON)).toContain('2025')
})

it('rounds what is past', () => {
  expect(ago(NOON - 10_000, NOON)).toBe('just now')
  expect(ago(NOON - 60_000, NOON)).toBe('1 minute ago')
  expect(ago(NOON - 2 * HOUR, NOON)).toBe('2 hours ago')
  expect([duration(89), duration(120), duration(2 * 86_400)]).toEqual(['89 seconds', '2 minutes', '2 days'])
})

it('says one day once', () => {
  expect(dateRange(null, null)).toBe('No end date')
  expect(dateRange(NOON, NOON + HOUR)).toContain('2026')
  expect(dateRange(null, NOON)).toMatch(/^Until /)
})

it('gives a date field back what it was given', () => {
  expect(fromLocalInput(toLocalInput(NOON))).toBe(NOON)
  expect(fromLocalInput('')).toBeNull()
  expect(fromLocalInput('nonsense')).toBeNull()
})

it('makes initials of any name', () => {
  expect(['Anna', 'anna maria lopez', '  ', '😀 x'].map(initials)).toEqual(['A', 'AL', '?', '😀X'])
})

it('grades quality', () => {
  expect([0.9, 0.4, 0.1].map(quality)).toEqual(['Good', 'Fair', 'Weak'])
})

it('draws the same for one key, and something else for another', () => {
  const key = (n: number) => n.toString(16).padStart(64, '0')
  expect(circlesOf(key(7))).toEqual(circlesOf(key(7)))
  const drawn = new Set(Array.from({ length: 200 }, (_, n) => JSON.stringify(circlesOf(key(n)))))
  expect(drawn.size).toBe(200)
  for (const { x, y, r } of Array.from({ length: 200 }, (_, n) => circlesOf(key(n))).flat()) {
    expect(x >= 0 && x <= 100 && y >= 0 && y <= 100 && r >= 18 && r < 55).toBe(true)
  }
})
