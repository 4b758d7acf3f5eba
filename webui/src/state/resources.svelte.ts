// What the screens share, one resource per concern.
import { api } from '../api/client'
import { Resource } from './resource.svelte'

export const status = new Resource(['status', 'approvals', 'profile', 'events', 'settings'], api.status)
export const settings = new Resource(['settings'], api.settings)
export const vault = new Resource(['status', 'settings'], api.vault)
export const backup = new Resource(['status', 'settings'], api.backup)
export const verify = new Resource(['status'], api.verify)
export const exported = new Resource(['status'], api.exported)
export const models = new Resource(['settings', 'profile', 'imports'], api.models)
export const imports = new Resource(['imports'], api.imports)
export const quarantine = new Resource(['status', 'imports'], api.quarantine)
export const events = new Resource(['events', 'profile'], api.events)
export const profiles = new Resource(['profile', 'events'], api.profiles)
export const people = new Resource(['people', 'profile'], api.people)
export const approvals = new Resource(['approvals'], () => api.approvals('all'))
export const recalls = new Resource(['approvals'], api.recalls)
export const peers = new Resource(['status', 'events'], api.peers)
export const doctor = new Resource(['status'], api.doctor)
export const privacy = new Resource(['events', 'transfers', 'profile', 'settings'], api.privacy)
export const sessions = new Resource(['activity'], api.sessions)
export const noticeSettings = new Resource(['notices'], api.notices)
export const lan = new Resource(['activity'], api.lan)
export const relay = new Resource(['settings'], api.relay)

/** After the daemon was away, everything may have changed. */
export function refreshAll(): void {
  for (const resource of [status, settings, vault, backup, verify, exported, models, imports, quarantine, events, profiles, people, approvals, recalls, peers, privacy, sessions, noticeSettings, lan, relay, doctor]) resource.refresh()
}
