import { describe, expect, test } from 'vitest'
import { margin, matchReason, nextBest } from '../src/parts/words'

const match = { score: 0.412, sure_below: 0.5, grade: 'sure', next_best: 0.92, rival: null, child: false }

describe('why somebody is asked', () => {
  test('the margin names the nearer of the two that lost', () => {
    expect(margin(match)).toBe('Difference 0.41, next best 0.92 (another face in the photo).')
    expect(margin({ ...match, rival: 0.55 })).toBe('Difference 0.41, next best 0.55 (somebody else who looks for themselves).')
    expect(margin({ ...match, next_best: null })).toBe('Difference 0.41, nobody else to compare with.')
    expect([nextBest(match), nextBest({ ...match, next_best: undefined })]).toEqual([0.92, null])
  })

  test('the reason fits the grade', () => {
    expect(matchReason(match)).toContain('Below 0.50')
    expect(matchReason({ ...match, grade: 'maybe', score: 0.6 })).toContain('may be somebody else')
    expect(matchReason({ ...match, grade: 'maybe', child: true })).toContain('always asked')
    expect(matchReason({ ...match, grade: 'maybe' })).toContain('comes near it')
  })
})
