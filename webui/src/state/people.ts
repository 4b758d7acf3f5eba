// Words for people, and corrections that can be taken back with one press.
import { api, wordsFor } from '../api/client'
import type { PersonView } from '../api/types'
import { notices } from './notices.svelte'
import { people } from './resources.svelte'

/** What a person is called on the screen. */
export function nameOf(person: PersonView): string {
  return person.name ?? (person.me ? 'You' : 'No name yet')
}

/** People whose names hold every word that was typed; all of them for nothing. */
export function matching(list: readonly PersonView[], typed: string): PersonView[] {
  const words = plain(typed).split(/\s+/).filter((word) => word !== '')
  return list.filter((person) => words.every((word) => plain(nameOf(person)).includes(word)))
}

/** The person with exactly this name, whatever the case and the accents. */
export function called(list: readonly PersonView[], typed: string): PersonView | null {
  return list.find((person) => person.name && plain(person.name.trim()) === plain(typed.trim())) ?? null
}

function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}

/** Does something that the daemon can undo, and says so; whether it worked. */
export async function correct(work: () => Promise<unknown>, said: string, undone?: () => void): Promise<boolean> {
  try {
    await work()
  } catch (error) {
    notices.say(wordsFor(error), true)
    people.refresh()
    return false
  }
  people.refresh()
  notices.say(said, false, { label: 'Undo', run: () => void undo(undone) })
  return true
}

export async function undo(undone?: () => void): Promise<void> {
  try {
    people.set(await api.undoCorrection())
    notices.say('Undone.')
    undone?.()
  } catch (error) {
    notices.say(wordsFor(error), true)
  }
}
