// Sentences for the values that the API gives as words of its own.

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

/** What photos for somebody may still say. */
export const DETAILS: ReadonlyArray<{ key: 'time' | 'place' | 'camera'; title: string; text: string }> = [
  { key: 'time', title: 'Date and time', text: 'In the file, so that it stays when the file is copied. Their Inframe is told the time in any case, to sort by.' },
  {
    key: 'place',
    title: 'Place',
    text: 'Where it was taken, to a few metres. Photos taken at home say where you live. Whoever gets them can pass them on.',
  },
  { key: 'camera', title: 'Camera', text: 'The model of the camera or phone; never its serial number.' },
]

export function roleWord(role: string): string {
  if (role === 'host') return 'Host'
  if (role === 'co-host') return 'Co-host'
  return role === 'waiting' ? 'Waiting' : 'Member'
}

/** Whom one of my announcements looks for. */
export function announcedName(one: { profile: string; profile_name?: string | null }): string {
  return one.profile === 'me' ? 'You' : (one.profile_name ?? 'A child of yours')
}

/** Whom a question is about: a member, or a child whose name only its guardian knows. */
export function soughtName(approval: { nickname: string; child: boolean }): string {
  return approval.child ? `a child of ${approval.nickname}` : approval.nickname
}

interface Match {
  score: number
  sure_below: number
  grade: string
  next_best?: number | null
  rival?: number | null
  child: boolean
}

/** The least of the distances that a match must stand apart from: to other faces in the photo, and of others who look for themselves. */
export function nextBest(match: Match): number | null {
  const others = [match.next_best, match.rival].filter((one) => typeof one === 'number')
  return others.length === 0 ? null : Math.min(...others)
}

/** How close a match is and by how much the next best lost. */
export function margin(match: Match): string {
  const score = `Difference ${match.score.toFixed(2)}`
  const next = nextBest(match)
  if (next === null) return `${score}, nobody else to compare with.`
  const whose = next === match.rival ? 'somebody else who looks for themselves' : 'another face in the photo'
  return `${score}, next best ${next.toFixed(2)} (${whose}).`
}

/** What that means. */
export function matchReason(match: Match): string {
  const limit = match.sure_below.toFixed(2)
  if (match.grade === 'sure') return `Below ${limit} counts as sure.`
  if (match.score >= match.sure_below) return `Only below ${limit} counts as sure, so this may be somebody else.`
  if (match.child) return 'Children’s faces resemble each other, so you are always asked.'
  return 'That is close, but the face is small or unclear, or somebody else comes near it too.'
}

/** A full name and an e-mail address in one line; empty for neither. */
export function contactWords(contact: { name?: string; email?: string } | null | undefined): string {
  return [contact?.name, contact?.email].filter((one) => one).join(' · ')
}

export function othersSentence(others: number): string {
  if (others === 0) return 'Nobody else is in the photo.'
  return others === 1 ? 'One other person is in the photo and goes along.' : `${others} other people are in the photo and go along.`
}
