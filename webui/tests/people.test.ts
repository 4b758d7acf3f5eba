import { describe, expect, it } from 'vitest'
import type { PersonView } from '../src/api/types'
import { called, matching, nameOf } from '../src/state/people'

const person = (name: string | null, me = false): PersonView => ({ id: name ?? 'x', name, me, hidden: false, photos: 3, cover: null })
const everyone = [person('Host Éclair'), person('Guest One'), person(null), person(null, true)]

describe('people', () => {
  it('are called by their name, "You", or nothing yet', () => {
    expect(everyone.map(nameOf)).toEqual(['Host Éclair', 'Guest One', 'No name yet', 'You'])
  })

  it('are found by the words of their name, without accents and case', () => {
    expect(matching(everyone, 'ECLAIR host').map(nameOf)).toEqual(['Host Éclair'])
    expect(matching(everyone, '')).toHaveLength(4)
    expect(matching(everyone, 'nobody')).toEqual([])
  })

  it('are the same only by the whole name', () => {
    expect(called(everyone, ' guest one ')?.name).toBe('Guest One')
    expect(called(everyone, 'guest')).toBeNull()
    expect(called(everyone, 'You')).toBeNull()
  })
})
