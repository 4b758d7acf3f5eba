// The one place that talks to the daemon: JSON in and out, problem+json turned into ApiError, reachability noted.
import type * as T from './types'

const BASE = '/api/v1'

/** The daemon answered, and the answer was a refusal. */
export class ApiError extends Error {
  readonly kind: string
  readonly title: string
  readonly status: number
  /** Seconds to wait before it is tried again; 0 when the daemon asks for none. */
  readonly waitS: number

  constructor(problem: T.ProblemView, waitS = 0) {
    super(problem.detail || problem.title)
    this.name = 'ApiError'
    this.kind = problem.type
    this.title = problem.title
    this.status = problem.status
    this.waitS = waitS
  }
}

/** The daemon did not answer at all. */
export class UnreachableError extends Error {
  constructor() {
    super("Can't reach the photo daemon. Your photos are safe.")
    this.name = 'UnreachableError'
  }
}

type Watcher = { reached(): void; lost(): void; signedOut(): void; locked(): void }
let watcher: Watcher = { reached() {}, lost() {}, signedOut() {}, locked() {} }

/** Tells one listener (the connection state) how every request fared. */
export function watchRequests(next: Watcher): void {
  watcher = next
}

/** Makes an error out of an answer that is not a success; a proxy's HTML page must not end up on the screen. */
export function problemOf(status: number, body: string, waitS = 0): ApiError {
  try {
    const parsed = JSON.parse(body) as Partial<T.ProblemView>
    if (typeof parsed.title === 'string' || typeof parsed.detail === 'string') {
      return new ApiError({
        type: parsed.type ?? 'unknown',
        title: parsed.title ?? 'That did not work',
        status,
        detail: parsed.detail ?? '',
      }, waitS)
    }
  } catch {
    // Not JSON: fall through to words of our own.
  }
  const title = status >= 500 ? 'The photo daemon ran into a problem' : 'The photo daemon refused that'
  return new ApiError({ type: 'unknown', title, status, detail: `${title} (${status}).` })
}

/** A sentence for people, whatever was thrown. */
export function wordsFor(error: unknown): string {
  if (error instanceof ApiError || error instanceof UnreachableError) return error.message
  return 'Something unexpected went wrong. Try again.'
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

async function send(method: string, path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response
  try {
    response = await fetch(BASE + path, { method, credentials: 'same-origin', cache: 'no-store', ...init })
  } catch (error) {
    if (isAbort(error)) throw error
    watcher.lost()
    throw new UnreachableError()
  }
  watcher.reached()
  if (response.status === 401 && !path.startsWith('/session')) watcher.signedOut()
  if (response.status === 423) watcher.locked()
  if (!response.ok && response.status !== 304) throw problemOf(response.status, await response.text().catch(() => ''), Number(response.headers.get('retry-after')) || 0)
  return response
}

export async function json<V>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<V> {
  const init: RequestInit = { signal: signal ?? null }
  if (body !== undefined) {
    init.body = JSON.stringify(body)
    init.headers = { 'content-type': 'application/json' }
  }
  const response = await send(method, path, init)
  if (response.status === 204) return undefined as V
  return (await response.json()) as V
}

const id = encodeURIComponent

export const api = {
  async hasSession(): Promise<boolean> {
    try {
      await send('GET', '/session')
      return true
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return false
      throw error
    }
  },
  openSession: (token: string) => send('POST', '/session', jsonInit({ token })),
  signInView: () => json<T.SignInView>('GET', '/session/ways'),
  signInByPassword: (password: string) => send('POST', '/session/password', jsonInit({ password })),
  lan: () => json<T.LanView>('GET', '/lan'),
  changeLanPassword: (body: T.ChangePasswordBody) => json<T.LanView>('PUT', '/lan/password', body),
  closeSession: () => send('DELETE', '/session'),
  sessions: () => json<T.SessionView[]>('GET', '/sessions'),
  endSession: (session: string) => json<void>('DELETE', `/sessions/${id(session)}`),
  endOtherSessions: () => json<void>('DELETE', '/sessions'),
  privacy: () => json<T.PrivacyView>('GET', '/privacy'),

  vault: () => json<T.VaultView>('GET', '/vault'),
  unlock: (body: T.SecretBody) => json<void>('POST', '/vault/unlock', body),
  lock: () => json<void>('POST', '/vault/lock'),
  changeSlots: (body: T.SlotsBody) => json<T.VaultView>('POST', '/vault/slots', body),
  recoveryWords: () => json<T.RecoveryWordsView>('POST', '/vault/recovery-words'),

  lookForBackup: (folder: string) => json<T.FoundBackupView>('POST', '/vault/restore/look', { folder }),
  /** Comes back once it has begun; how it goes is told with the vault. */
  restoreBackup: async (body: T.RestoreBody): Promise<void> => {
    await send('POST', '/vault/restore', jsonInit(body))
  },
  erasure: () => json<T.ErasureView>('GET', '/erasure'),
  eraseEverything: (body: T.EraseBody) => json<void>('POST', '/vault/erase', body),
  endFirstRun: () => json<void>('POST', '/first-run/done'),

  backup: () => json<T.BackupView>('GET', '/backup'),
  changeBackup: (patch: T.BackupPatch) => json<T.BackupView>('PATCH', '/backup', patch),
  runBackup: () => json<T.BackupView>('POST', '/backup/run'),
  stopBackup: () => json<T.BackupView>('DELETE', '/backup/run'),
  verify: () => json<T.VerifyView>('GET', '/verify'),
  runVerify: (repair: boolean) => json<T.VerifyView>('POST', '/verify', { repair }),
  stopVerify: () => json<T.VerifyView>('DELETE', '/verify'),
  checkBackup: () => json<T.BackupView>('POST', '/backup/check'),

  exported: () => json<T.ExportView>('GET', '/export'),
  beginExport: (folder: string) => json<T.ExportView>('POST', '/export', { folder }),
  stopExport: () => json<T.ExportView>('DELETE', '/export'),

  status: () => json<T.StatusView>('GET', '/status'),
  takeBack: (approval: string) => json<T.ApprovalView>('DELETE', `/approvals/${id(approval)}/answer`),
  settings: () => json<T.SettingsView>('GET', '/settings'),
  changeSettings: (patch: T.SettingsPatch) => json<T.SettingsView>('PATCH', '/settings', patch),
  watchFolder: (path: string) => json<T.SettingsView>('POST', '/watched-folders', { path }),
  unwatchFolder: (path: string) => json<T.SettingsView>('DELETE', `/watched-folders?path=${id(path)}`),

  models: () => json<T.ModelsView>('GET', '/models'),
  addModel: (body: T.AddModelBody) => json<T.ModelsView>('POST', '/models', body),
  useModel: (pack: string) => json<T.ModelsView>('POST', '/models/use', { pack }),

  quarantine: () => json<T.QuarantinedView[]>('GET', '/quarantine'),
  retryQuarantined: (id: string) => json<T.QuarantinedView[]>('POST', `/quarantine/${encodeURIComponent(id)}/retry`),
  startImport: (path: string) => json<T.ImportView>('POST', '/imports', { path }),
  imports: () => json<T.ImportView[]>('GET', '/imports'),

  async skeleton(etag: string | null): Promise<{ bytes: ArrayBuffer; etag: string | null } | null> {
    const response = await send('GET', '/timeline/skeleton', etag ? { headers: { 'if-none-match': etag } } : {})
    if (response.status === 304) return null
    return { bytes: await response.arrayBuffer(), etag: response.headers.get('etag') }
  },
  block: (n: number, rev: number, signal?: AbortSignal) =>
    json<T.TimelineBlockView>('GET', `/timeline/blocks/${n}?rev=${rev}`, undefined, signal),

  asset: (asset: string) => json<T.AssetView>('GET', `/assets/${id(asset)}`),
  trashAsset: (asset: string) => json<T.TrashedView>('DELETE', `/assets/${id(asset)}`),
  trash: (before: string | null, limit: number) =>
    json<T.TrashView>('GET', `/trash?limit=${limit}${before === null ? '' : `&before=${id(before)}`}`),
  restore: (assets: string[]) => json<T.TrashDoneView>('POST', '/trash/restore', { assets }),
  purge: (assets: string[]) => json<T.TrashDoneView>('POST', '/trash/purge', { assets }),
  emptyTrash: () => json<T.TrashDoneView>('POST', '/trash/empty'),

  consentText: (scope: 'faces' | 'announce' | 'guardian' | 'announce-child' | 'protect' | 'protect-child') =>
    json<T.ConsentTextView>('GET', `/consent-texts/${scope}`),
  receipts: () => json<T.ReceiptView[]>('GET', '/consent-receipts'),
  giveConsent: (text_hash: string) => json<T.ProfileView>('POST', '/profile/consent', { text_hash }),
  eraseProfile: () => json<T.ProfileView>('DELETE', '/profile'),
  profiles: () => json<T.ProfileView[]>('GET', '/profiles'),
  addChild: (body: T.NewProfileBody) => json<T.ProfileView>('POST', '/profiles', body),
  removeProfile: (profile: string) => json<T.ProfileView[]>('DELETE', `/profiles/${id(profile)}`),
  async addSelfie(profile: string, file: Blob): Promise<T.ProfileView> {
    const response = await send('POST', `/profiles/${id(profile)}/selfies`, {
      body: file,
      headers: { 'content-type': file.type || 'application/octet-stream' },
    })
    return (await response.json()) as T.ProfileView
  },
  removeSelfie: (profile: string, selfie: string) =>
    json<T.ProfileView>('DELETE', `/profiles/${id(profile)}/selfies/${id(selfie)}`),
  beginChallenge: (profile: string) => json<T.ChallengeView>('POST', `/profiles/${id(profile)}/challenge`),
  async challengeFrame(profile: string, challenge: string, jpeg: Blob, signal: AbortSignal): Promise<T.ChallengeView> {
    const path = `/profiles/${id(profile)}/challenge/${id(challenge)}/frames`
    const response = await send('POST', path, { body: jpeg, headers: { 'content-type': 'image/jpeg' }, signal })
    return (await response.json()) as T.ChallengeView
  },
  abandonChallenge: (profile: string, challenge: string) =>
    json<void>('DELETE', `/profiles/${id(profile)}/challenge/${id(challenge)}`),

  people: () => json<T.PeopleView>('GET', '/people'),
  person: (person: string, offset: number, limit: number) =>
    json<T.PersonDetailView>('GET', `/people/${id(person)}?offset=${offset}&limit=${limit}`),
  changePerson: (person: string, patch: T.PersonPatch) => json<T.PersonView>('PATCH', `/people/${id(person)}`, patch),
  mergePeople: (person: string, into: string) => json<T.PersonView>('POST', `/people/${id(person)}/merge`, { into }),
  splitPerson: (person: string, faces: T.FaceRefView[]) =>
    json<T.PersonView>('POST', `/people/${id(person)}/split`, { faces }),
  notPerson: (person: string, faces: T.FaceRefView[]) =>
    json<T.PeopleView>('POST', `/people/${id(person)}/not`, { faces }),
  assignFace: (asset: string, face: string, body: T.AssignBody) =>
    json<T.AssetView>('PUT', `/assets/${id(asset)}/faces/${id(face)}/person`, body),
  questions: () => json<T.QuestionsView>('GET', '/people/queue'),
  answerQuestion: (body: T.PeopleAnswerBody) => json<T.QuestionsView>('POST', '/people/queue', body),
  undoCorrection: () => json<T.PeopleView>('POST', '/people/undo'),

  events: () => json<T.EventView[]>('GET', '/events'),
  wall: (event: string) => json<string[]>('GET', `/events/${id(event)}/wall`),
  event: (event: string) => json<T.EventView>('GET', `/events/${id(event)}`),
  createEvent: (body: T.NewEventBody) => json<T.EventView>('POST', '/events', body),
  changeEvent: (event: string, patch: T.EventPatch) => json<T.EventView>('PATCH', `/events/${id(event)}`, patch),
  joinEvent: (link: string) => json<T.EventView>('POST', '/events/join', { link }),
  leaveEvent: (event: string) => json<void>('DELETE', `/events/${id(event)}`),
  /** Valid invites, or with `all` those as well by which somebody came in or waits. */
  invites: (event: string, all = false) => json<T.InviteView[]>('GET', `/events/${id(event)}/invites?all=${all}`),
  createInvite: (event: string, body: T.NewInviteBody) =>
    json<T.InviteView>('POST', `/events/${id(event)}/invites`, body),
  revokeInvite: (event: string, invite: string) => json<void>('DELETE', `/events/${id(event)}/invites/${id(invite)}`),
  replaceLeaked: (event: string, body: T.LeakBody) =>
    json<T.LeakView>('POST', `/events/${id(event)}/invites/leaked`, body),
  showCode: (event: string, invite: string) => json<T.EventView>('PUT', `/events/${id(event)}/code`, { invite }),
  stopCode: (event: string) => json<T.EventView>('DELETE', `/events/${id(event)}/code`),
  answerAdmission: (event: string, member: string, admit: boolean) =>
    json<T.EventView>('POST', `/events/${id(event)}/admissions/${id(member)}`, { admit }),
  removeMember: (event: string, member: string) =>
    json<T.EventView>('DELETE', `/events/${id(event)}/members/${id(member)}`),
  setCoHost: (event: string, member: string, coHost: boolean) =>
    json<T.EventView>('PUT', `/events/${id(event)}/members/${id(member)}/role`, { co_host: coHost }),
  renewKeys: (event: string) => json<T.EventView>('POST', `/events/${id(event)}/keys`),
  setMemberPolicy: (event: string, member: string, policy: string) =>
    json<T.EventView>('PUT', `/events/${id(event)}/members/${id(member)}/policy`, { policy }),
  setMemberDetails: (event: string, member: string, details: T.DetailsView) =>
    json<T.EventView>('PUT', `/events/${id(event)}/members/${id(member)}/details`, details),
  announce: (event: string, body: T.FindMeBody) => json<T.EventView>('PUT', `/events/${id(event)}/find-me`, body),
  withdraw: (event: string, profile: string) =>
    json<T.EventView>('DELETE', `/events/${id(event)}/find-me?profile=${id(profile)}`),
  protect: (event: string, body: T.ProtectionBody) => json<T.EventView>('PUT', `/events/${id(event)}/protection`, body),
  unprotect: (event: string, profile: string) =>
    json<T.EventView>('DELETE', `/events/${id(event)}/protection?profile=${id(profile)}`),
  addAssets: (event: string, assets: string[]) => json<T.EventView>('POST', `/events/${id(event)}/assets`, { assets }),
  removeAssets: (event: string, assets: string[]) =>
    json<T.EventView>('DELETE', `/events/${id(event)}/assets`, { assets }),

  approvals: (state: 'waiting' | 'all') => json<T.ApprovalView[]>('GET', `/approvals?state=${state}`),
  decide: (approval: string, body: T.DecisionBody) => json<T.ApprovalView>('POST', `/approvals/${id(approval)}`, body),

  transfers: (after: string | null, limit: number) =>
    json<T.TransferView[]>('GET', `/transfers?limit=${limit}${after === null ? '' : `&after=${id(after)}`}`),
  recall: (transfer: string) => json<T.TransferView>('POST', `/transfers/${id(transfer)}/recall`),
  recalls: () => json<T.RecallView[]>('GET', '/recalls'),
  answerRecall: (recall: string, body: T.RecallBody) => json<T.RecallView[]>('POST', `/recalls/${id(recall)}`, body),
  retryTransfer: (transfer: string) => json<T.TransferView>('POST', `/transfers/${id(transfer)}/retry`),

  peers: () => json<T.PeerView[]>('GET', '/peers'),
  addPeer: (address: string) => json<T.PeerView[]>('POST', '/peers', { address }),
  notices: () => json<T.NoticesView>('GET', '/notices'),
  changeNotices: (patch: T.NoticesPatch) => json<T.NoticesView>('PATCH', '/notices', patch),
  setNoticeReceiver: (body: T.NoticeReceiverBody) => json<T.NoticesView>('PUT', '/notices/receiver', body),
  forgetNoticeReceiver: () => json<T.NoticesView>('DELETE', '/notices/receiver'),
  testNotices: () => json<T.NoticeTestView>('POST', '/notices/test'),

  relay: () => json<T.RelayView>('GET', '/relay'),
  setRelay: (address: string, token: string) => json<T.RelayView>('PUT', '/relay', { address, token }),
  forgetRelay: () => json<T.RelayView>('DELETE', '/relay'),
  doctor: () => json<T.DoctorView>('GET', '/doctor'),
  runDoctor: () => json<T.DoctorView>('POST', '/doctor'),
  activity: (before: number | null, limit: number) =>
    json<T.ActivityView[]>('GET', `/activity?limit=${limit}${before === null ? '' : `&before=${before}`}`),
}

function jsonInit(body: unknown): RequestInit {
  return { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
}

/** Address of the document with everything about the owner. */
export const ABOUT_ME = `${BASE}/privacy/export`

/** Addresses of pictures, for `src` attributes. */
export const pictures = {
  grid: (asset: string) => `${BASE}/assets/${id(asset)}/thumb?size=grid`,
  preview: (asset: string) => `${BASE}/assets/${id(asset)}/thumb?size=preview`,
  original: (asset: string) => `${BASE}/assets/${id(asset)}/original`,
  selfie: (profile: string, selfie: string) => `${BASE}/profiles/${id(profile)}/selfies/${id(selfie)}/still`,
  video: (asset: string) => `${BASE}/assets/${id(asset)}/video`,
  motion: (asset: string) => `${BASE}/assets/${id(asset)}/motion`,
  face: (face: T.FaceRefView) => `${BASE}/people/faces/${id(face.asset)}/${face.face}/crop`,
  approvalStill: (approval: string) => `${BASE}/approvals/${id(approval)}/still`,
  approvalCrop: (approval: string) => `${BASE}/approvals/${id(approval)}/crop`,
}

/** Sends one file with progress, which `fetch` cannot report. */
export function uploadFile(file: File, onProgress: (sentBytes: number) => void, signal: AbortSignal): Promise<T.UploadView> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', `${BASE}/uploads?name=${id(file.name)}`)
    request.setRequestHeader('content-type', file.type || 'application/octet-stream')
    request.upload.onprogress = (event) => onProgress(event.loaded)
    request.onerror = () => {
      watcher.lost()
      reject(new UnreachableError())
    }
    request.onabort = () => reject(new DOMException('stopped', 'AbortError'))
    request.onload = () => {
      watcher.reached()
      if (request.status === 401) watcher.signedOut()
      if (request.status < 200 || request.status >= 300) return reject(problemOf(request.status, request.responseText))
      try {
        resolve(JSON.parse(request.responseText) as T.UploadView)
      } catch {
        reject(problemOf(request.status, ''))
      }
    }
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.send(file)
  })
}

export function liveAddress(since: number): string {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
  return `${scheme}://${location.host}${BASE}/live?since=${since}`
}
