// The guest page of an event, for its host.
import { json } from './client'
import type * as T from './types'

const id = encodeURIComponent
const page = (event: string) => `/events/${id(event)}/guest-page`

export const guests = {
  page: (event: string) => json<T.GuestPageView>('GET', page(event)),
  change: (event: string, patch: Partial<T.GuestPagePatch>) => json<T.GuestPageView>('PATCH', page(event), patch),
  newLink: (event: string) => json<T.GuestPageView>('POST', `${page(event)}/link`),
  allowMembers: (event: string, body: T.GuestMembersBody) => json<T.GuestPageView>('PUT', `${page(event)}/members`, body),
  refuseMembers: (event: string) => json<T.GuestPageView>('DELETE', `${page(event)}/members`),
  answerUploads: (event: string, uploads: string[], show: boolean) =>
    json<T.GuestPageView>('POST', `${page(event)}/uploads`, { uploads, show }),
  answerAsks: (event: string, asks: T.GuestAskId[], allow: boolean) =>
    json<T.GuestPageView>('POST', `${page(event)}/asks`, { asks, allow }),
  answerRemoval: (event: string, removal: string, take_out: boolean) =>
    json<T.GuestPageView>('POST', `${page(event)}/removals/${id(removal)}`, { take_out }),
  block: (event: string, guest: string, blocked: boolean) =>
    json<T.GuestPageView>('PUT', `${page(event)}/guests/${id(guest)}`, { blocked }),
  wifi: (event: string, body: T.GuestWifiBody) => json<T.GuestWifiView | null>('POST', `${page(event)}/wifi`, body),
  still: (event: string, guest: string) => `/api/v1${page(event)}/guests/${id(guest)}/still`,
  face: (event: string, guest: string, asset: string) => `/api/v1${page(event)}/guests/${id(guest)}/found/${id(asset)}`,
}
