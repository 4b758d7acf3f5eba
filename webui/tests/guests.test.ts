import { describe, expect, test } from 'vitest'
import { missingPieces, pieceSize } from '../guest/pieces'
import { NextPhotos } from '../src/state/wall'

describe('the wall', () => {
  test('goes round, shows what is new next, and nothing that is gone', () => {
    const next = new NextPhotos()
    expect(next.take()).toBeUndefined()
    next.know(['a', 'b', 'c'])
    expect([next.take(), next.take()]).toEqual(['a', 'b'])
    next.know(['new', 'a', 'b', 'c'])
    expect(next.peek()).toBe('new')
    expect([next.take(), next.take()]).toEqual(['new', 'c'])
    next.know(['a', 'c'])
    const shown = Array.from({ length: 4 }, () => next.take())
    expect(shown).toEqual(['a', 'c', 'a', 'c'])
    next.know([])
    expect(next.take()).toBeUndefined()
  })
})

describe('pieces of an upload', () => {
  test('only those that are missing are sent', () => {
    expect(missingPieces({ have: [] }, 2500, 1000)).toEqual([0, 1, 2])
    expect(missingPieces({ have: [2, 0] }, 2500, 1000)).toEqual([1])
    expect(missingPieces({ have: [0] }, 1000, 1000)).toEqual([])
  })

  test('the last one is short', () => {
    expect([0, 1, 2, 3].map((index) => pieceSize(2500, 1000, index))).toEqual([1000, 1000, 500, 0])
  })
})
