// Sentences for the values that the API gives as words of its own.
import type { EventView } from '../api/types'

export type Policy = 'ask' | 'automatic' | 'never'

export const POLICIES: ReadonlyArray<{ value: Policy; title: string; text: string }> = [
  { value: 'ask', title: 'Ask me', text: 'You see the match and decide, photo by photo.' },
  { value: 'automatic', title: 'Send sure matches', text: 'Photos that surely show somebody who looks for themselves go to them at once. Doubtful ones still ask.' },
  { value: 'never', title: 'Send nothing', text: 'Nobody here receives photos from you.' },
]

export const SCOPES: ReadonlyArray<{ value: string; title: string; text: string }> = [
  { value: 'window', title: 'Photos taken during the event', text: 'From its start to its end.' },
  { value: 'all', title: 'All my photos', text: 'Good for a family circle.' },
  { value: 'chosen', title: 'Only photos I choose', text: 'Add them from the details of a photo.' },
]

export const MEMBER_POLICIES: ReadonlyArray<{ value: string; label: string }> = [
  { value: 'event', label: 'As in the event' },
  { value: 'ask', label: 'Ask me' },
  { value: 'automatic', label: 'Send sure matches' },
  { value: 'never', label: 'Send nothing' },
]

export function roleWord(role: string): string {
  if (role === 'host') return 'Host'
  if (role === 'co-host') return 'Co-host'
  return role === 'waiting' ? 'Waiting' : 'Member'
}

export function canManage(event: EventView): boolean {
  return event.role === 'host' || event.role === 'co-host'
}

/** How close a match is, for people: numbers stay, but they are explained. */
export function matchReason(approval: { score: number; sure_below: number; grade: string; next_best?: number | null }): string {
  const score = approval.score.toFixed(2)
  const limit = approval.sure_below.toFixed(2)
  const first =
    approval.grade === 'sure'
      ? `The difference to the selfie is ${score}; below ${limit} counts as sure.`
      : `The difference to the selfie is ${score}; only below ${limit} counts as sure, so this may be somebody else.`
  if (approval.next_best === null || approval.next_best === undefined) return first
  return `${first} The next closest face in the photo is at ${approval.next_best.toFixed(2)}.`
}

export function othersSentence(others: number): string {
  if (others === 0) return 'Nobody else is in the photo.'
  return others === 1 ? 'One other person is in the photo and goes along.' : `${others} other people are in the photo and go along.`
}
