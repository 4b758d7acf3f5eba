// Generated from openapi.json by `npm run types`; do not edit.

/** One entry of the activity log. */
export interface ActivityView {
  /** Asset concerned. */
  asset?: string | null
  /** Time. */
  at: number
  /** Event concerned. */
  event?: string | null
  /** `left`, `arrived`, `asked`, `refused`, `suspicious`, `consent`, `member`, `models`, `sign-in`. */
  kind: string
  /** Sequence number. */
  seq: number
  /** A sentence for the owner. */
  text: string
}

/** A model pack to add: either `folder`, or `url` with `blake3`. */
export interface AddModelBody {
  /** BLAKE3 of that `pack.toml` in lowercase hex. */
  blake3?: string | null
  /** With a folder: whether files that are not in it may be downloaded from the addresses in its `pack.toml`. */
  download?: boolean
  /** Absolute path of a folder on the daemon's machine. */
  folder?: string | null
  /** Whether plain http to other machines is allowed. */
  insecure?: boolean
  /** Address of a `pack.toml`. */
  url?: string | null
}

/** A file on its way into a pack. */
export interface AddingView {
  /** Bytes so far. */
  done_bytes: number
  /** Its name in the pack. */
  file: string
  /** Bytes in all, where the server said so. */
  total_bytes?: number | null
}

/** Somebody who asks to join. */
export interface AdmissionView {
  /** When they asked. */
  at: number
  /** Member id they propose. */
  id: string
  /** Nickname. */
  nickname: string
  /** Six words that the joiner's screen shows too, unless somebody stands between. */
  verification: Array<string>
}

/** The host's answer to an admission. */
export interface AdmitBody {
  /** Admit or refuse. */
  admit: boolean
}

/** A live find-me of one of my profiles. */
export interface AnnouncementView {
  /** Event id. */
  event: string
  /** Event name. */
  event_name: string
  /** Whether holders are told that its selfies were taken live. */
  live: boolean
  /** Whom it looks for: `me`, or the id of a child's profile. */
  profile: string
  /** What the child's profile is called here. */
  profile_name?: string | null
  /** Members whose nodes have it since this node started. */
  seen_by: number
  /** Start. */
  since: number
  /** Expiry of the owner's consent; renewed records end with it. */
  until: number
}

/** Something that waits for the owner's decision. */
export interface ApprovalView {
  /** The asset. */
  asset: string
  /** When found. */
  at: number
  /** Faces that are blurred in what goes, as somebody wishes or the event says. */
  blurred_faces: number
  /** Whether a child is sought: then it is always asked. */
  child: boolean
  /** Whether children are present in the event: then every photo is asked about. */
  children_present: boolean
  /** Event id. */
  event: string
  /** Event name. */
  event_name: string
  /** The matched face. */
  face: string
  /** `sure` or `maybe`. */
  grade: string
  /** Id; `/approvals/{id}/still` is their selfie still, `/approvals/{id}/crop` the matched face. */
  id: string
  /** `match` (may this photo go to them?) or `doubtful` (is this received photo really of you?). */
  kind: string
  /** By their word: whether the selfies were taken live. If not, they could be anybody's photos. */
  live: boolean
  /** Member id of the other person. */
  member: string
  /** Distance of the next best face of the photo, if any. */
  next_best?: number | null
  /** Nickname of the other person. */
  nickname: string
  /** Other faces in the photo. */
  other_faces: number
  /** For a received photo of a child of the owner's: what the profile is called here. */
  profile_name?: string | null
  /** Distance of the same face to the next best person who looks for themselves, if any. */
  rival?: number | null
  /** Template distance; smaller is closer. */
  score: number
  /** `waiting`, `allowed`, `refused`. */
  state: string
  /** The sure threshold for it. */
  sure_below: number
  /** Until when the answer can be taken back, Unix milliseconds; nothing leaves by it before. Absent when it cannot be. */
  undo_until?: number | null
}

/** One asset in full. */
export interface AssetView {
  /** Camera, if known. */
  camera?: string | null
  /** BLAKE3 of the plain bytes, hex. */
  content_id: string
  /** Faces, left to right. */
  faces: Array<FaceView>
  /** `waiting`, `done` or `failed`. */
  faces_state: string
  file?: FileView | null
  /** File name as imported. */
  file_name: string
  /** Whether the file carries a location (it is never shown to others). */
  has_location: boolean
  /** Upright height in pixels. */
  height: number
  /** Id. */
  id: string
  /** Import time. */
  imported_at: number
  /** Media type. */
  media_type: string
  motion?: MotionView | null
  /** Origin. */
  origin: OriginView
  /** Deliveries to others. */
  shared_with: Array<SharedWithView>
  /** Plain size. */
  size_bytes: number
  /** Capture time, if the file says so (local wall time taken as UTC when the file has no offset). */
  taken_at?: number | null
  /** Thumbhash, base64. */
  thumbhash: string
  video?: VideoView | null
  /** Upright width in pixels. */
  width: number
}

/** Assets chosen by hand. */
export interface AssetsBody {
  /** Asset ids, at most 10,000. */
  assets: Array<string>
}

/** Who a face is: somebody known, or somebody new with a name. */
export interface AssignBody {
  /** Name of somebody new. */
  name?: string | null
  /** Id of a person. */
  person?: string | null
}

/** Where a backup is. */
export interface BackupFolderBody {
  /** The folder that was named when it was made, an absolute path. */
  folder: string
}

/** Changes of the backup. */
export interface BackupPatch {
  /** Hours between two; 0 is only by hand. */
  every_hours?: number | null
  /** The folder, a whole path; empty for none any more. */
  folder?: string | null
}

/** The backup of the vault. */
export interface BackupView {
  /** Bytes in it. */
  bytes: number
  /** When it was last read through and found whole, Unix milliseconds. */
  checked_at?: number | null
  /** Bytes copied or read by it. */
  done_bytes: number
  /** Files done by what runs. */
  done_files: number
  /** Hours between two; only by hand when absent. */
  every_hours?: number | null
  /** Files in it. */
  files: number
  /** The folder; none while there is no backup. */
  folder?: string | null
  /** The last one that was complete, Unix milliseconds. */
  last_at?: number | null
  /** Files that it has to look at. */
  of_files: number
  /** What is wrong since the last try. */
  problem?: string | null
  /** `backup` or `check` while one runs. */
  running?: string | null
  /** Whether it lies on the disk of the vault itself, and would be lost with it. */
  same_disk: boolean
}

/** A certificate. */
export interface CertificateView {
  /** Whether the owner has to renew it soon. */
  ends_soon: boolean
  /** Its SHA-256, in pairs of hex digits. */
  fingerprint: string
  /** Names that it is for. */
  hosts: Array<string>
  /** Whether this node made it for itself: no browser knows it, and the owner has to compare its fingerprint. */
  own: boolean
  /** Why what lies in its place now cannot be used, while the one from before is. */
  problem?: string | null
  /** Its end, Unix milliseconds. The node's own is made anew before that. */
  until: number
}

/** A pose challenge under way, or how it ended. */
export interface ChallengeView {
  /** What to do differently, or why it failed. */
  advice?: string | null
  /** What is asked now: `straight`, `left`, `right` or `up`, from the person's own point of view. */
  ask: string
  /** Steps done. */
  done: number
  /** Id; frames go to `/profiles/{profile}/challenge/{id}/frames`. */
  id: string
  /** The same in words. */
  instruction: string
  /** How far the last frame went in the direction that is asked, 0..1. */
  reached: number
  /** `running`, `passed` or `failed`. */
  state: string
  /** When the step must be done. */
  step_ends_at: number
  /** Steps in all. */
  steps: number
}

/** Which change. */
export type ChangeBody = "add" | "replace" | "remove"

/** A change of the password that signs in over the network. */
export interface ChangePasswordBody {
  /** The present one, where there is one. The command line need not know it. */
  current?: string | null
  /** The new one, of ten characters or more; none any more when absent. */
  password?: string | null
}

/** What a check has shown. */
export interface CheckView {
  /** What to do, in one sentence; there unless it is good. */
  advice?: string | null
  /** What was found, in words and figures. */
  found: string
  /** `interfaces`, `multicast`, `ports`, `nat`, `relay`, `certificate`, `notices`, `clock`, `disk`, `models`, `sandbox`, `videos`; on the command line also `daemon`. */
  key: string
  /** `good`, `warning`, `failed`, `not-checked`. */
  state: string
  /** Its name for people. */
  title: string
}

/** Which invite a code is to stand for. */
export interface CodeBody {
  /** Id of the invite. */
  invite: string
}

/** The code that the host of an event shows to people on the same network, or showed last. */
export interface CodeView {
  /** Eight digits, grouped; only while it is open. */
  code?: string | null
  /** When it ends. */
  ends_at: number
  /** Wrong ones that it still bears. */
  guesses_left: number
  /** Id of the invite that it stands for. */
  invite: string
  /** `open`, `guessed` (ended by too many wrong ones), `used` (its invite can be used no more) or `expired`. */
  state: string
}

/** Consent given to a text. */
export interface ConsentBody {
  /** Hash of the text that was shown. */
  text_hash: string
}

/** One paragraph of a consent text. */
export interface ConsentSectionView {
  /** Heading: what is computed, where it is kept, who gets what, how long, how to stop. */
  heading: string
  /** Text. */
  text: string
}

/** The consent text that stands before enrolment or announcement. */
export interface ConsentTextView {
  /** BLAKE3 of the text, hex; to be sent back with the consent. */
  hash: string
  /** `faces` (find faces and enrol me), `announce` (announce my face in an event), `guardian` (enrol a child), `announce-child`, `protect` (blur or hold back photos of me in an event) or `protect-child`. */
  scope: string
  /** Question and answer pairs. */
  sections: Array<ConsentSectionView>
  /** The sentence beside the tick box. */
  tick: string
  /** Title. */
  title: string
  /** Version. */
  version: number
}

/** A name and an e-mail address; either may be empty. */
export interface ContactView {
  /** E-mail address, at most 254 bytes. Nobody has checked that it is theirs. */
  email?: string
  /** Name, at most 128 bytes. */
  name?: string
}

/** An asset with damaged files. */
export interface DamageView {
  /** The member who is asked to send it again. */
  asked?: string | null
  /** Which. */
  asset: string
  /** Its file name. */
  file_name: string
  /** Whether it is in the trash. */
  in_trash: boolean
  /** Whether the bytes that were imported are damaged, and not only what was made from them. */
  lost: boolean
  /** What is wrong, in words. */
  what: string
}

/** A decision. */
export interface DecisionBody {
  /** With `allow`: send later sure matches with this person in this event without asking. */
  always?: boolean
  /** `allow`, `not_now` or `never`. */
  decision: string
}

/** What photos still say of their taking when they go to somebody; all else that cameras and programs write into them goes in any case. */
export interface DetailsView {
  /** With what camera. */
  camera: boolean
  /** Where, to the metre. */
  place: boolean
  /** When. */
  time: boolean
}

/** The disk of the data folder. */
export interface DiskView {
  /** Free, in bytes. */
  free_bytes: number
  /** Whether something waits for space, or would. */
  low: boolean
  /** Kept free, in bytes: imports and receiving wait while there is less. */
  reserve_bytes: number
}

/** How everything is on which this node depends. */
export interface DoctorView {
  /** When all were done last, Unix milliseconds; `null` if never since the start. */
  at?: number | null
  /** What was found, one a topic; empty before the first run. */
  checks: Array<CheckView>
  /** Checks that are done in the present run, or were in the last. */
  done: number
  /** Checks of a run. */
  of: number
  /** Whether the checks run now; those that are not done yet are shown as the run before has left them. */
  running: boolean
}

/** A wish to erase everything. */
export interface EraseBody {
  by?: SecretBody | null
  /** The words `erase everything`. */
  words: string
}

/** What erasing everything would destroy. */
export interface ErasureView {
  /** Where a backup lies, which stays as it is. */
  backup_folder?: string | null
  /** Events. */
  events: number
  /** Those of them that this node hosts. */
  hosted: number
  /** The same in the trash. */
  in_trash: number
  /** The key file, which is destroyed as well; absent where none opens the vault. */
  key_file?: string | null
  /** People who were found in them. */
  people: number
  /** Their size. */
  photo_bytes: number
  /** Photos, videos and files in the library. */
  photos: number
  /** Selfies of profiles. */
  selfies: number
  /** Their size. */
  trash_bytes: number
}

/** A change to an event's local settings; absent fields stay. */
export interface EventPatch {
  /** Host only. */
  admit_automatically?: boolean | null
  /** Host only: whether everybody's device blurs the faces of bystanders. */
  blur_bystanders?: boolean | null
  /** Host only: whether children are present. */
  children_present?: boolean | null
  /** `ask`, `automatic`, `never`. */
  policy?: string | null
  /** `window`, `all`, `chosen`. */
  scope?: string | null
  /** Whether the members see the owner's name and e-mail address. */
  show_contact?: boolean | null
}

/** An event in full. */
export interface EventView {
  /** Whether valid invites are admitted without asking (host only). */
  admit_automatically: boolean
  /** Photos of this event on this node: received ones and those that take part. */
  asset_ids: Array<string>
  /** Whether the faces of bystanders are blurred in what leaves; the host says so. */
  blur_bystanders: boolean
  /** Whether children are present; the host says so. Then every photo is asked about, bystanders are blurred, and nothing goes with what it says of
   * its taking, whatever else is set. */
  children_present: boolean
  code?: CodeView | null
  /** My photos that take part. */
  eligible_count: number
  /** End of the event. */
  ends_at?: number | null
  /** Epoch number. */
  epoch: number
  /** When the members got their keys; none while waiting. */
  epoch_at?: number | null
  find_me?: AnnouncementView | null
  /** Every live announcement of this node, the children's included. */
  find_mes: Array<AnnouncementView>
  /** Id. */
  id: string
  /** Admitted members. */
  members: Array<MemberView>
  /** Name. */
  name: string
  /** Policy of this node here: `ask`, `automatic`, `never`. */
  policy: string
  /** Why joining stopped, if refused: in words. */
  problem?: string | null
  /** What this node's profiles ask of photos that show them. */
  protections: Array<ProtectionView>
  /** Received photos. */
  received_count: number
  /** `host`, `co-host`, `member`, or `waiting` while the host has not admitted this node. */
  role: string
  /** Which of my photos take part: `window` (taken between start and end), `all` or `chosen`. */
  scope: string
  /** Whether the members see the owner's name and e-mail address, as far as they are given in the settings. */
  shows_contact: boolean
  /** Start of the event. */
  starts_at?: number | null
  /** While waiting: six words that the host's screen shows too, unless somebody stands between. Else empty. */
  verification: Array<string>
  /** Those who wait for admission (host only). */
  waiting: Array<AdmissionView>
}

/** Where to export to. */
export interface ExportBody {
  /** A folder that is there, a whole path. */
  folder: string
}

/** What an export did. */
export interface ExportResultView {
  /** When it ended, Unix milliseconds. */
  at: number
  /** Their bytes. */
  bytes: number
  /** Damaged originals, at most 100. */
  damaged: Array<NotExportedView>
  /** How many there are. */
  damaged_count: number
  /** Originals that are in the folder. */
  files: number
  /** Those of them that were written this time; the others were there. */
  new_files: number
}

/** The export that runs or ran last. */
export interface ExportView {
  /** Bytes that it has written or compared. */
  done_bytes: number
  /** Originals that are done by the one under way. */
  done_files: number
  /** The folder that was named last; `inframe-export` in it holds the files. */
  folder?: string | null
  /** All originals. */
  of_files: number
  /** Why the last one ended before its time. */
  problem?: string | null
  result?: ExportResultView | null
  /** Whether it is under way. */
  running: boolean
}

/** A face of the library; its picture is at `/people/faces/{asset}/{face}/crop`. */
export interface FaceRefView {
  /** The photo. */
  asset: string
  /** Which of its faces. */
  face: number
}

/** A face in an asset. */
export interface FaceView {
  /** In a video, when the face is seen best, in milliseconds from the start. */
  at_ms?: number | null
  /** Height, fraction of height. */
  h: number
  /** Id. */
  id: string
  /** Whether it is the owner's own face by this node's own check. */
  me: boolean
  /** What the owner calls that person. */
  name?: string | null
  /** The person that it belongs to, if any. */
  person?: string | null
  /** Quality 0..1. */
  quality: number
  /** Width, fraction of width. */
  w: number
  /** Left, fraction of width. */
  x: number
  /** Top, fraction of height. */
  y: number
}

/** Some faces of a person. */
export interface FacesBody {
  /** The faces, 1 to 1,000. */
  faces: Array<FaceRefView>
}

/** How far the photos are with the model pack in use. */
export interface FacesProgressView {
  /** Photos whose faces were found with it. */
  done: number
  /** Those in which faces cannot be looked for. */
  failed: number
  /** Photos of the library. */
  total: number
}

/** A file that cannot be shown. */
export interface FileView {
  /** The end of its name, such as `PDF`. */
  ending: string
  /** Whether another version, or a program that the reason names, may show it; it is tried again by itself. */
  may_change: boolean
  /** Why it cannot be shown. */
  reason: string
}

/** Start of an announcement. */
export interface FindMeBody {
  /** How long to announce, hours; 1 to 2160 (renewed every day meanwhile). */
  hours: number
  /** Whom to announce: `me`, or the id of a child's profile. */
  profile?: string
  /** Hash of the `announce` or, for a child, `announce-child` consent text that was shown. */
  text_hash: string
}

/** A backup that was found. */
export interface FoundBackupView {
  /** When its newest version was made, Unix milliseconds. */
  newest: number
  /** What unlocks it. */
  ways: Array<WayView>
}

/** A photo and a guest. */
export interface GuestAskId {
  /** The asset. */
  asset: string
  /** The guest. */
  guest: string
}

/** A photo or video in which a guest was found. */
export interface GuestAskView {
  /** The asset. */
  asset: string
  /** When it was found, Unix ms. */
  at: number
  /** The guest. */
  guest: string
  /** What they call themselves. */
  guest_name: string
  /** Whether it is surely them. */
  sure: boolean
}

/** The host's word on photos and videos in which guests were found. */
export interface GuestAsksBody {
  /** Whether the guests may see them. */
  allow: boolean
  /** Which, 500 at most. */
  asks: Array<GuestAskId>
}

/** Whether a guest is shut out. */
export interface GuestBody {
  /** Whether they are. */
  blocked: boolean
}

/** One address of a guest page. */
export interface GuestLinkView {
  /** Address of this device with the port. */
  address: string
  /** The whole link. Whoever has it may use the page, and ask to join as a member if it carries an invite. */
  link: string
  /** The link as a QR code, SVG. */
  qr_svg: string
}

/** Request for an invite in the links to a guest page. */
export interface GuestMembersBody {
  /** Whether who comes by it waits for a yes even where the event lets everybody in; default yes. */
  by_hand?: boolean | null
  /** Life in seconds; default 48 hours, at most 90 days. */
  expires_in_s?: number | null
  /** Number of uses; default 10, at most 500. */
  uses?: number | null
}

/** The invite in the links to a guest page. */
export interface GuestMembersView {
  /** Whether who comes by it waits for a yes even where the event lets everybody in. */
  by_hand: boolean
  /** When it ends, Unix ms. */
  expires_at: number
  /** Id of the invite. */
  invite: string
  /** How it stands: `open`; or `used`, `expired` or `withdrawn`, and then the links are for guests alone. */
  state: string
  /** Uses left. */
  uses_left: number
}

/** Changes of a guest page; absent fields stay. */
export interface GuestPagePatch {
  /** Whether what guests add takes part only after the host's word. */
  approve_first?: boolean | null
  /** Until when, Unix ms; 0 for as long as the page lives. */
  closes_at?: number | null
  /** The end of the event for guests, Unix ms. */
  ends_at?: number | null
  /** Days from then until guests' face data is erased, 0 to 90. */
  keep_days?: number | null
  /** Whether it is switched on. */
  on?: boolean | null
  /** When guests may begin to add photos, Unix ms; 0 for at once. */
  opens_at?: number | null
  /** Whether guests may look for themselves with a selfie. */
  selfies?: boolean | null
}

/** The guest page of an event, as its host sees it. */
export interface GuestPageView {
  /** Whether what guests add takes part only after the host's word. */
  approve_first: boolean
  /** Photos and videos that guests were found in and may see only by the host's word, 500 at most. */
  asks: Array<GuestAskView>
  /** How many there are in all. */
  asks_count: number
  /** Whether children are present in the event: then it does in any case, and every photo of a guest is asked about. */
  children_present: boolean
  /** Until when; until everything is erased if not said. */
  closes_at?: number | null
  /** The end of the event for guests, Unix ms. */
  ends_at: number
  /** When it was done, if it was. */
  erased_at?: number | null
  /** When that is, Unix ms. */
  erases_at: number
  /** Guests, oldest first. */
  guests: Array<GuestView>
  /** Days from then until guests' face data is erased. */
  keep_days: number
  /** Links to it by every address of this device that others on the network could use, the likeliest first; none while it is off. */
  links: Array<GuestLinkView>
  members?: GuestMembersView | null
  /** Whether it is switched on. */
  on: boolean
  /** When guests may begin to add photos, Unix ms; at once if not said. */
  opens_at?: number | null
  /** Why it cannot be reached although it is on, in words. */
  problem?: string | null
  /** Wishes that a photo be removed, newest first. */
  removals: Array<GuestRemovalView>
  /** Whether guests may look for themselves with a selfie. */
  selfies: boolean
  /** Whether they could: the host has to have agreed that faces are found here. */
  selfies_possible: boolean
  /** How many take part in the event. */
  shown_count: number
  /** What guests have added and what waits for the host's word, oldest first, 500 at most. */
  uploads: Array<GuestUploadView>
  /** How many wait in all. */
  waiting_count: number
  wifi?: GuestWifiView | null
}

/** What becomes of a wish for removal. */
export interface GuestRemovalBody {
  /** Whether the photo is taken out of the event. */
  take_out: boolean
}

/** A guest's wish that a photo be removed. */
export interface GuestRemovalView {
  /** The asset. */
  asset: string
  /** When, Unix ms. */
  at: number
  /** Whether the host has dealt with it. */
  done: boolean
  /** Who. */
  guest_name: string
  /** Id. */
  id: string
  /** Whether the photo is still there. */
  is_there: boolean
  /** In their words. */
  reason: string
}

/** Something that a guest has added and that waits for the host's word. */
export interface GuestUploadView {
  /** The asset. */
  asset: string
  /** When it came, Unix ms. */
  at: number
  /** Who. */
  guest_name: string
  /** Id. */
  id: string
  /** Whether it is a video. */
  video: boolean
}

/** The host's word on what guests have added. */
export interface GuestUploadsBody {
  /** They take part in the event, or go into the trash. */
  show: boolean
  /** Ids of uploads, 500 at most. */
  uploads: Array<string>
}

/** A guest. */
export interface GuestView {
  /** When they came, Unix ms. */
  at: number
  /** Whether the host has shut them out. */
  blocked: boolean
  /** Id. */
  id: string
  /** What they call themselves. */
  name: string
  /** Whether they look for themselves. */
  selfie: boolean
  /** How many files they have added. */
  uploads: number
}

/** A Wi-Fi network to be printed on a poster. */
export interface GuestWifiBody {
  /** Whether it is kept, encrypted, for the next time. */
  keep: boolean
  /** Its name; empty to forget what was kept. */
  name: string
  /** Its password; empty for an open one. */
  password: string
}

/** A Wi-Fi network for a poster. */
export interface GuestWifiView {
  /** Its name. */
  name: string
  /** Its password; empty for an open one. */
  password: string
  /** A QR code with which phones join it, SVG. */
  qr_svg: string
}

/** Guests of an event wait for its host's word. */
export interface GuestsWaitingView {
  /** Photos to be let in, photos they were found in and wishes that one be removed. */
  count: number
  /** Which event. */
  event: string
  /** Its name. */
  name: string
}

/** Faces of others that this node compares the owner's photos with. */
export interface HeldFacesView {
  /** Event id. */
  event: string
  /** Event name. */
  event_name: string
  /** How many. */
  faces: number
}

/** A file that was not imported, or is kept but cannot be shown. */
export interface ImportFailureView {
  /** File name. */
  name: string
  /** Reason and what to do. */
  reason: string
}

/** One run of an import. */
export interface ImportView {
  /** Exact duplicates skipped. */
  duplicates: number
  /** Files that could not be imported, at most the first 1,000. */
  failed: Array<ImportFailureView>
  /** Those of them that are kept but cannot be shown, at most the first 1,000. */
  files: Array<ImportFailureView>
  /** End. */
  finished_at?: number | null
  /** Id. */
  id: string
  /** Files imported and durable. */
  imported: number
  /** Files that were in the trash and are back in the library. */
  restored: number
  /** Folder, `upload` or `watched folder`. */
  source: string
  /** Start. */
  started_at: number
  /** `running`, `done`. */
  state: string
  /** Files seen so far. */
  total: number
  /** What it waits for now, in words, such as space on the disk; it goes on by itself. */
  waits?: string | null
}

/** An invite. */
export interface InviteView {
  /** Nickname of the co-host who asked for it, if it was one and the host asks. */
  by?: string | null
  /** Whether who comes by it waits for a yes even where the event lets everybody in. */
  by_hand: boolean
  /** Expiry. */
  expires_at: number
  /** Id. */
  id: string
  /** Members who came in by it. */
  joined: Array<InvitedView>
  /** Link to paste; holds the secret. */
  link: string
  /** Whether it can still be used. */
  open: boolean
  /** Whether it is the one in the link of the guest page. */
  poster: boolean
  /** The link as a QR code, an SVG document. */
  qr_svg: string
  /** Uses when it was made. */
  uses: number
  /** Uses left. */
  uses_left: number
  /** How many wait with it. */
  waiting: number
}

/** A member who came in by an invite. */
export interface InvitedView {
  /** Id of the member. */
  id: string
  /** Nickname. */
  nickname: string
}

/** A pasted invite link, or a code that somebody on the same network shows. */
export interface JoinBody {
  /** The link, or the eight digits of the code. */
  link: string
}

/** How much is to be kept for members who are away. */
export interface KeepingBody {
  /** Bytes that it may take, at least 67108864; absent to keep nothing, which erases what lies here. */
  room_bytes?: number | null
}

/** What this device keeps for members who are away: sealed, so that it cannot look at it. */
export interface KeepingView {
  /** Bytes of them. */
  bytes: number
  /** Photos and videos that lie here for others. */
  count: number
  /** Bytes that it may take; nothing is kept when absent. */
  room_bytes?: number | null
}

/** The dashboard in the network. */
export interface LanView {
  /** Addresses for a browser, the likeliest first. */
  addresses: Array<string>
  certificate?: CertificateView | null
  /** Whether there is a password, without which only a launch link signs in. */
  has_password: boolean
  /** Whether it is reached there, which is chosen when the daemon is started. */
  on: boolean
  /** Whether the browser that asks does so over the network. */
  over_network: boolean
}

/** What a launch link carries. */
export interface LaunchBody {
  /** The token in the link's fragment, `#launch=TOKEN`. */
  token: string
}

/** A fresh launch link. */
export interface LaunchLinkView {
  /** SHA-256 of the certificate that the browser gets to see there, where it is one that no browser knows. */
  fingerprint?: string | null
  /** Signs one browser in, once, within ten minutes. */
  url: string
}

/** An invite that leaked. */
export interface LeakBody {
  /** Its id; none for all invites of the event. */
  invite?: string | null
  /** Ids of the members to remove, of those who came in by it. */
  remove?: Array<string>
}

/** What was done about an invite that leaked. */
export interface LeakView {
  /** How many who waited with it were declined. */
  declined: number
  /** The event as it is now, under new keys. */
  event: EventView
  /** A fresh invite of the same kind. */
  invite: InviteView
  /** Nicknames of those who were removed. */
  removed: Array<string>
}

/** Something that leaves this machine. */
export interface LeavesView {
  /** `local-network`, `members`, `contact`, `details`, `guests`, `relay`, `notices` or `keeper`. */
  kind: string
  /** What leaves and to whom, in a sentence. */
  text: string
}

/** A message of the live socket: something changed, ask for it again. */
export interface LiveView {
  /** The id concerned, if one. */
  id?: string | null
  /** Rising number; pass the last one as `since` to resume. */
  seq: number
  /** `timeline`, `asset`, `imports`, `events`, `approvals`, `transfers`, `profile`, `status`, `activity`, `settings`, `people`, `trash`, `notices`, or `resync` when messages were missed. */
  what: string
}

/** Policy towards one member. */
export interface MemberPolicyBody {
  /** `ask`, `automatic`, `never` or `event`. */
  policy: string
}

/** What a member may do. */
export interface MemberRoleBody {
  /** Whether they admit and remove as the host does. */
  co_host: boolean
}

/** A member of an event. */
export interface MemberView {
  contact?: ContactView | null
  /** What my photos still say when they go to this person. */
  details: DetailsView
  /** Member id. */
  id: string
  /** When admitted. */
  joined_at: number
  /** Whether a find-me of theirs is live. */
  looking: boolean
  /** Whether it is this node. */
  me: boolean
  /** Nickname. */
  nickname: string
  /** Whether its node is connected now. */
  online: boolean
  /** Own policy towards this person: `ask`, `automatic`, `never`, or `event` for the event's. */
  policy: string
  /** `host`, `co-host` or `member`. */
  role: string
}

/** Whom a person is the same as. */
export interface MergeBody {
  /** Id of the person who stays. */
  into: string
}

/** A model pack. */
export interface ModelView {
  /** Whether it is in use. */
  active: boolean
  /** Whether it is part of the program. */
  built_in: boolean
  /** Id: only embeddings of equal ids compare. */
  id: string
  /** Licence of the weights, as the pack states it. */
  licence: string
  /** Name. */
  name: string
  /** Why it cannot be used, if so. */
  problem?: string | null
  /** Where the weights come from, as the pack states it. */
  provenance: string
  /** Version. */
  version: string
}

/** Every model pack. */
export interface ModelsView {
  adding?: AddingView | null
  /** How far the photos are with the pack in use. */
  faces: FacesProgressView
  /** The packs, the built-in one first. */
  packs: Array<ModelView>
  /** Why no faces are looked for, when the pack in use is damaged. */
  trouble?: string | null
}

/** The moving part of a photo. */
export interface MotionView {
  /** Media type. */
  media_type: string
  /** Size. */
  size_bytes: number
}

/** A new event. */
export interface NewEventBody {
  /** End. */
  ends_at?: number | null
  /** Name, 1 to 80 characters. */
  name: string
  /** Start. */
  starts_at?: number | null
}

/** Request for an invite. */
export interface NewInviteBody {
  /** Whether who comes by it waits for a yes even where the event lets everybody in; default no. */
  by_hand?: boolean | null
  /** Life in seconds; default 48 hours, at most 90 days. */
  expires_in_s?: number | null
  /** Number of uses; default 1, at most 500. */
  uses?: number | null
}

/** Where another node is, as its owner reads it out. */
export interface NewPeerBody {
  /** An address that ends in the node's id: `/ip4/192.168.1.20/tcp/7412/p2p/12D3KooW...`. */
  address: string
}

/** A new profile of a child. */
export interface NewProfileBody {
  /** What to call the child here, at most 40 characters; never told to others. */
  name: string
  /** Hash of the `guardian` text that was shown. */
  text_hash: string
}

/** An original that could not be exported. */
export interface NotExportedView {
  /** Its file name. */
  file_name: string
  /** Why, in words. */
  reason: string
}

/** A try that failed. */
export interface NoticeFailureView {
  /** When. */
  at: number
  /** Why, in words. */
  text: string
}

/** A kind of notice. */
export interface NoticeKindView {
  /** Whether the dashboard and its browser tell of it. */
  here: boolean
  /** `photos`, `requests`, `suspicious`, `sign-ins` or `consent-texts`. */
  kind: string
  /** Whether it is sent out, where there is an address to send to. */
  outward: boolean
  /** What people read. */
  title: string
}

/** Where notices shall be sent to. */
export interface NoticeReceiverBody {
  /** Its address. */
  address: string
  /** `ntfy` or `webhook`. */
  form: string
  /** Whether plain http to another machine is allowed. */
  insecure?: boolean
  /** Whether names of people and events go along. */
  names?: boolean
  /** The token that it asks for. When absent the one that is kept stays, if the address does; when empty there is none. */
  token?: string | null
}

/** Where notices are sent to. Its token is never told. */
export interface NoticeReceiverView {
  /** Its address. */
  address: string
  /** `ntfy` or `webhook`. */
  form: string
  /** Whether there is a token. */
  has_token: boolean
  /** Whether plain http to another machine is allowed. */
  insecure: boolean
  /** Whether names of people and events go along. */
  names: boolean
}

/** A switch; what is absent stays. */
export interface NoticeSwitchBody {
  /** Whether the dashboard and its browser tell of it. */
  here?: boolean | null
  /** Kind, as in `NoticeKindView`. */
  kind: string
  /** Whether it is sent out. */
  outward?: boolean | null
}

/** What became of a trial. */
export interface NoticeTestView {
  /** Whether it was taken. */
  taken: boolean
  /** What happened, in a sentence. */
  text: string
}

/** One notice. */
export interface NoticeView {
  /** When. */
  at: number
  /** How many things it is about. */
  count: number
  /** Rising number. */
  id: number
  /** Kind, as in `NoticeKindView`. */
  kind: string
  /** The same with names, for the owner's own page. */
  named: string
  /** The page of the dashboard that shows them. */
  page: string
  /** A sentence that names nobody. */
  text: string
  /** A few fixed words. */
  title: string
}

/** Changes of what the owner is told of; absent fields stay. */
export interface NoticesPatch {
  /** Kinds to switch. */
  kinds?: Array<NoticeSwitchBody>
  quiet?: QuietHoursBody | null
}

/** What the owner is told of, how, and what they were told lately. */
export interface NoticesView {
  failure?: NoticeFailureView | null
  /** Every kind, and by which ways it is told. */
  kinds: Array<NoticeKindView>
  /** When quiet hours begin, as `23:00` on the clock of the node's machine; none when absent. */
  quiet_from?: string | null
  /** When they are over. */
  quiet_until?: string | null
  receiver?: NoticeReceiverView | null
  /** What the dashboard was told since the node was started, oldest first; the last 20. */
  recent: Array<NoticeView>
  /** When the last one was taken there, since the node was started. */
  sent_at?: number | null
}

/** Where an asset came from. */
export interface OriginView {
  /** When it arrived here. */
  at: number
  /** Event id it was received in. */
  event?: string | null
  /** Event name. */
  event_name?: string | null
  /** Nickname of the sender. */
  from?: string | null
  /** `imported`, `received` (from a member) or `guest` (added on the guest page). */
  kind: string
}

/** The password that signs in over the network. */
export interface PasswordBody {
  /** As it is typed. */
  password: string
}

/** A path on the daemon's machine. */
export interface PathBody {
  /** Absolute path of a file or folder. */
  path: string
}

/** A peer. */
export interface PeerView {
  /** Addresses in use or known. */
  addresses: Array<string>
  /** Whether connected. */
  connected: boolean
  /** Names of common events. */
  events: Array<string>
  /** Nicknames by which members know it. */
  nickname?: string | null
  /** Peer id in base58. */
  node_id: string
  /** Whether every connection to it leads through a relay. */
  relayed: boolean
}

/** An answer to a question. */
export interface PeopleAnswerBody {
  /** `yes`, `no` or `skip`. A `who` question without `other` can only be skipped here; to answer it, name, hide or merge the person. */
  answer: string
  face?: FaceRefView | null
  /** For `who`: the suggestion that is answered. */
  other?: string | null
  /** Person of the question. */
  person: string
}

/** Everybody. */
export interface PeopleView {
  /** Whether there is consent to finding faces; without it nobody is known. */
  consented: boolean
  /** Photos whose faces are still to be found or grouped. */
  pending: number
  /** People with a name and people seen often, most photos first; hidden ones included. */
  people: Array<PersonView>
  /** Questions that wait. */
  questions: number
}

/** A person with some of their photos. */
export interface PersonDetailView {
  /** Who. */
  person: PersonView
  /** Photos, newest first: as many as were asked for. */
  photos: Array<PersonPhotoView>
  /** People who may be the same person, the nearest first. */
  suggestions: Array<PersonView>
}

/** Changes to a person; absent fields stay. */
export interface PersonPatch {
  cover?: FaceRefView | null
  /** Whether to show them. */
  hidden?: boolean | null
  /** New name; empty takes the name away. */
  name?: string | null
}

/** A photo of a person. */
export interface PersonPhotoView {
  /** Whether the owner said that it is them. */
  confirmed: boolean
  /** The photo and the face in it that is theirs. */
  face: FaceRefView
  /** Height of the photo in pixels. */
  height: number
  /** Capture time (or import time where unknown), Unix ms. */
  taken_at: number
  /** Width of the photo in pixels. */
  width: number
}

/** Somebody in the library's photos. */
export interface PersonView {
  cover?: FaceRefView | null
  /** Whether the owner does not want to see them. */
  hidden: boolean
  /** Id. */
  id: string
  /** Whether it is the owner, by their selfies. */
  me: boolean
  /** What the owner calls them. */
  name?: string | null
  /** Photos that they are in. */
  photos: number
}

/** What stands behind the door. */
export type Phase = "locked" | "opening" | "open" | "closing" | "restoring" | "unfinished" | "erasing"

/** Who can see what of the owner's, and what leaves this machine. */
export interface PrivacyView {
  /** Faces of others that are held here, event by event, while they look for themselves. */
  faces_held: Array<HeldFacesView>
  /** Sealed photos that are kept here for others, unreadable to this node. */
  kept_for_others: number
  /** What leaves this machine besides photos; empty when nothing does. */
  leaves: Array<LeavesView>
  /** What the owner's rules allow from now on, event by event. */
  rules: Array<RuleView>
  /** Who holds photos that this node sent, most photos first. */
  shares: Array<ShareView>
}

/** A problem, as in RFC 9457 (`application/problem+json`). */
export interface ProblemView {
  /** What happened and what to do. */
  detail: string
  /** HTTP status. */
  status: number
  /** Short title. */
  title: string
  /** Stable kind, such as `invite-expired`. */
  type: string
}

/** Somebody whom this node may look for: the owner, or a child of theirs. */
export interface ProfileView {
  /** Where it is announced now. */
  announcements: Array<AnnouncementView>
  /** Whether consent to face finding was given and when. */
  consent_at?: number | null
  /** When the guardian's declaration was given, for a child. */
  declared_at?: number | null
  /** Whether at least one selfie is enrolled. */
  enrolled: boolean
  /** `me`, or an id. */
  id: string
  /** Whether all selfies were taken live, as holders of photos are told. */
  live: boolean
  /** What the owner calls the child; never told to others. */
  name?: string | null
  /** Selfies that may still be added. */
  room: number
  /** Selfies. */
  selfies: Array<SelfieView>
  /** `me` or `child`. */
  subject: string
}

/** What is asked of photos that show a profile. */
export interface ProtectionBody {
  /** Whose photos: `me`, or the id of a child's profile. */
  profile?: string
  /** Hash of the `protect` or, for a child, `protect-child` consent text that was shown. */
  text_hash: string
  /** `hold-back`, `blur` or `show`. */
  wish: string
}

/** What one of my profiles asks of photos in an event. */
export interface ProtectionView {
  /** Whose photos: `me`, or the id of a child's profile. */
  profile: string
  /** What the child's profile is called here. */
  profile_name?: string | null
  /** Members whose nodes have it since this node started. */
  seen_by: number
  /** Since when. */
  since: number
  /** `hold-back`, `blur`, or `show` (not blurred where bystanders are). */
  wish: string
}

/** A file over which decoders stopped three times. */
export interface QuarantinedView {
  /** What it is in the library. */
  asset: string
  /** When it happened last, Unix milliseconds; for `faces`, when the photo was imported. */
  at: number
  /** File name, as shown. */
  file_name: string
  /** Id. */
  id: string
  /** What happened, in words. */
  reason: string
  /** Size in bytes. */
  size_bytes: number
  /** `reading`: it is kept as a file, not as a picture. `faces`: it is a photo, and no faces were looked for. */
  work: string
}

/** A question to the owner. */
export interface QuestionView {
  /** `who`: faces of theirs; `is`: the one face. */
  faces: Array<FaceRefView>
  /** `who` (who is this?) or `is` (is this face that person?). */
  kind: string
  /** The person that is asked about. */
  person: PersonView
  /** `who`: people with a name who it may be, the nearest first. */
  suggestions: Array<PersonView>
}

/** What waits for an answer. */
export interface QuestionsView {
  /** The next questions. */
  questions: Array<QuestionView>
  /** All of them. */
  total: number
}

/** Part of every day; none when both are absent. */
export interface QuietHoursBody {
  /** When they begin, such as `23:00`. */
  from?: string | null
  /** When they are over. */
  until?: string | null
}

/** What the owner decides. */
export interface RecallBody {
  /** Whether it is deleted for good; else it is kept, and they are told so. */
  delete: boolean
}

/** Somebody asks the owner to delete a photo that they had sent. */
export interface RecallView {
  /** The photo; absent while it lies in the trash. */
  asset?: string | null
  /** When they asked first. */
  at: number
  /** Event id. */
  event: string
  /** Event name. */
  event_name: string
  /** Id. */
  id: string
  /** Who asks. */
  nickname: string
}

/** Proof of a consent or declaration. */
export interface ReceiptView {
  /** When it was given. */
  at: number
  /** The event, for an announcement. */
  event?: string | null
  /** The public key of this device for receipts, hex. */
  key?: string | null
  /** Profile id. */
  profile: string
  /** What the child's profile is called, while it exists. */
  profile_name?: string | null
  /** Scope of the text. */
  scope: string
  /** Ed25519 signature of the statement in its context, hex; none on receipts of before they were signed. */
  signature?: string | null
  /** What is signed: all of the above but the text and the name, in lines of text. */
  statement: string
  text?: ConsentTextView | null
  /** BLAKE3 of the text that was shown, hex. */
  text_hash: string
  /** Version of the text. */
  version: number
}

/** The words of a new recovery phrase, to be written down and asked back; they open nothing yet. */
export interface RecoveryWordsView {
  /** 24 of them, in order. */
  words: Array<string>
}

/** A relay that somebody runs. */
export interface RelayBody {
  /** What `inframe relay` prints: `/ip4/203.0.113.7/tcp/7413/p2p/12D3KooW...`. */
  address: string
  /** The token that it prints. */
  token: string
}

/** The relay through which others may reach this node. */
export interface RelayView {
  /** Where it is, as the owner named it; `null` for none. */
  address?: string | null
  /** Why this node cannot be reached through it now, in words; it is tried again by itself. */
  problem?: string | null
  /** `none`, `connecting`, `reachable`, `failed`. */
  state: string
}

/** A wish to bring a backup back. */
export interface RestoreBody {
  /** What unlocks it. */
  by: SecretBody
  /** Whether this computer's key file unlocks it from then on, so that the daemon starts without a question. */
  by_itself: boolean
  /** The folder that was named when it was made, an absolute path. */
  folder: string
}

/** A backup that is being brought back, or was. */
export interface RestoreView {
  /** Bytes that are done. */
  bytes: number
  /** Files that are done. */
  files: number
  /** Files that are damaged or missing in the backup. */
  lost: number
  /** All bytes. */
  of_bytes: number
  /** All files. */
  of_files: number
  /** Why it failed, in words. */
  problem?: string | null
  /** `running`, `failed` or `done`. */
  state: string
}

/** What may leave by the owner's rules for one event. */
export interface RuleView {
  /** Event id. */
  event: string
  /** Event name. */
  event_name: string
  /** Other members. */
  members: number
  /** Members for whom another rule holds. */
  own_rules: number
  /** `ask`, `automatic` or `never`. */
  policy: string
  /** Which photos take part: `none`, `window`, `chosen` or `all`. */
  takes: string
}

/** What unlocks, as a browser or the command line shows it. */
export interface SecretBody {
  /** The passphrase or the words; nothing for the key file. */
  secret?: string | null
  /** Which way. */
  way: WayView
}

/** A selfie of a profile. */
export interface SelfieView {
  /** When enrolled. */
  at: number
  /** Id; the still is at `/profiles/{profile}/selfies/{id}/still`. */
  id: string
  /** Whether it was taken before a camera in a pose challenge. */
  live: boolean
  /** Quality 0..1. */
  quality: number
  /** Whether it counts with the model pack in use; otherwise it must be taken anew. */
  usable: boolean
}

/** A browser that is signed in. */
export interface SessionView {
  /** Such as `Firefox on Linux`, by its own word. */
  browser: string
  /** The address from which it signed in over the network; nothing for a browser on this device. */
  from?: string | null
  /** Id, by which it can be signed out. */
  id: string
  /** When it signed in. */
  opened_at: number
  /** Whether it is the one that asks. */
  this: boolean
  /** When it was used last, to within ten minutes after a restart. */
  used_at: number
}

/** Changes to the settings; absent fields stay. */
export interface SettingsPatch {
  /** Let imports, watched folders and the search for faces rest, or go on. */
  background_paused?: boolean | null
  contact?: ContactView | null
  /** New device name. */
  device_name?: string | null
  keeping?: KeepingBody | null
  /** New nickname. */
  nickname?: string | null
  /** Processes that decode photos at once, from 1 to `most_processes`. */
  processes?: number | null
  traffic?: TrafficView | null
  /** For how many seconds an answer to an approval can be taken back, 0 to 600. */
  undo_seconds?: number | null
}

/** Settings that the owner can change. */
export interface SettingsView {
  /** Whether imports, watched folders and the search for faces rest. */
  background_paused: boolean
  /** The owner's name and e-mail address, for the members of those events in which they are shown; nobody else gets them. */
  contact: ContactView
  /** Name of this device, at most 40 characters. */
  device_name: string
  /** What this device keeps for members who are away. */
  keeping: KeepingView
  /** The most that this machine can give: its processor cores. */
  most_processes: number
  /** The name that other members see, at most 40 characters. */
  nickname: string
  /** Processes that decode photos at once. */
  processes: number
  /** How much of the line transfers may have, and when. */
  traffic: TrafficView
  /** For how many seconds an answer to an approval can be taken back before anything leaves; 0 for not at all. */
  undo_seconds: number
  /** Folders that are watched for new photos. */
  watched_folders: Array<WatchedFolderView>
}

/** Photos that a member was sent. They cannot be called back by technical means. */
export interface ShareView {
  /** Event id. */
  event: string
  /** Event name. */
  event_name: string
  /** When the last one arrived there. */
  last_at: number
  /** Member id. */
  member: string
  /** What the member is called; empty once they have left. */
  nickname: string
  /** How many photos and videos they have. */
  photos: number
}

/** To whom an asset went. */
export interface SharedWithView {
  /** When it was confirmed as delivered. */
  at: number
  /** Event name. */
  event_name: string
  /** Nickname. */
  nickname: string
}

/** How a browser signs in here. */
export interface SignInView {
  /** Whether it asks over the network. */
  over_network: boolean
  /** Whether a password signs in. */
  password: boolean
}

/** A change in the ways to unlock. */
export interface SlotsBody {
  /** How the vault is unlocked now, to show that it is its owner who asks. */
  by: SecretBody
  /** What changes. */
  change: ChangeBody
  /** Where a new key file is made; where the daemon looks for it when absent. */
  path?: string | null
  /** The new passphrase or the new words. */
  secret?: string | null
  /** Which way. */
  way: WayView
}

/** The node at a glance. */
export interface StatusView {
  /** Multiaddresses at which others reach this node. */
  addresses: Array<string>
  /** Events in which this node announces a find-me now. */
  announcing: number
  /** Approvals waiting for an answer. */
  approvals_waiting: number
  /** Plain bytes of all assets. */
  asset_bytes: number
  /** Assets in the library. */
  asset_count: number
  /** Whether the owner paused imports, watched folders and the search for faces. */
  background_paused: boolean
  /** Name of this device. */
  device_name: string
  disk?: DiskView | null
  /** Whether profile "me" is enrolled. */
  enrolled: boolean
  /** How far the photos are with it. */
  faces: FacesProgressView
  /** Hosted events in which guests wait for the owner's word. */
  guests_waiting: Array<GuestsWaitingView>
  /** How the master key is kept, in words. */
  key_protection: string
  /** The name that other members see. */
  nickname: string
  /** Peer id in base58, as libp2p writes it. */
  node_id: string
  /** Why notices cannot be sent to where the owner wants them, if so. */
  notices_failure?: string | null
  /** Id of the model pack in use. */
  pack: string
  /** Connected peers. */
  peers_connected: number
  /** What holds the sandbox's processes, in words; empty until the first one has started. */
  sandbox_active: Array<string>
  /** What of the sandbox this machine does not offer, in words; empty when complete. */
  sandbox_gaps: Array<string>
  /** Sandbox processes alive now. */
  sandbox_processes: number
  /** Revision of the timeline. */
  timeline_rev: number
  /** Plain bytes of what is in the trash. */
  trash_bytes: number
  /** Assets in the trash. */
  trash_count: number
  /** Seconds since start. */
  uptime_s: number
  /** Version of the daemon. */
  version: string
  /** Whether `ffmpeg`, which videos need, is installed. */
  video_tools: boolean
  /** Every worker. */
  workers: Array<WorkerView>
}

/** A fixed block of 256 items of the timeline, newest first, as columns of equal length. */
export interface TimelineBlockView {
  /** Length of a video in milliseconds, 0 while it is not known; null for what is no video. */
  durations: Array<number | null>
  /** Faces found, or -1 while not looked at. */
  faces: Array<number>
  /** For files that cannot be shown, the end of their name, such as `PDF`. */
  file: Array<string | null>
  /** Asset ids. */
  ids: Array<string>
  /** Whether the asset was received from somebody. */
  received: Array<boolean>
  /** Revision that the block belongs to. */
  rev: number
  /** Index of the first item. */
  start: number
  /** Capture time (or import time where unknown), Unix ms. */
  taken_at: Array<number>
}

/** How much of the line transfers may have, and when. */
export interface TrafficView {
  /** Bytes a second that may come in. */
  down_bytes_s?: number | null
  /** From when on nothing is sent or received every day, such as `23:00` on the clock of the daemon's machine; absent, with the next, when nothing is quiet. */
  quiet_from?: string | null
  /** Until when. */
  quiet_until?: string | null
  /** Bytes a second that may go out, all transfers together, at least 131072; no limit when absent. */
  up_bytes_s?: number | null
}

/** A transfer. */
export interface TransferView {
  /** The local asset: the one sent, or the one that came of it. */
  asset?: string | null
  /** Created. */
  at: number
  /** Bytes a second over the last five seconds, while it is `active`. */
  bytes_per_second?: number | null
  /** Last change. */
  changed_at: number
  /** `sending` or `receiving`. */
  direction: string
  /** Bytes verified so far. */
  done_bytes: number
  /** Event name. */
  event_name: string
  /** Id. */
  id: string
  /** Nickname of the other side. */
  nickname: string
  /** Why it waits or failed, in words. */
  reason?: string | null
  /** How it stands with a photo that was asked back: `waiting` (they are away), `open`, `deleted`, `kept` or `unknown`. */
  recall?: string | null
  /** Whether it goes through a relay, while it is `active`. */
  relayed?: boolean | null
  /** Seconds that it still takes at that speed, if it moves at all. */
  seconds_left?: number | null
  /** Bytes in all. */
  size_bytes: number
  /** `waiting`, `active`, `delivered`, `declined`, `failed`, `cancelled`. */
  state: string
}

/** Photos in the trash, at most 1,000. */
export interface TrashBody {
  /** Their ids. */
  assets: Array<string>
}

/** What became of a wish to the trash. */
export interface TrashDoneView {
  /** Photos that were restored, or deleted for good. Those that were not in the trash any more do not count. */
  done: number
  /** Files of what was deleted for good that are still being erased. */
  erasing: number
  /** Photos left in the trash. */
  total: number
}

/** The trash, or a part of it: newest first. */
export interface TrashView {
  /** Files of what was deleted for good that are still being erased. */
  erasing: number
  /** Some of it. */
  items: Array<TrashedView>
  /** Days that something stays in it. */
  kept_days: number
  /** Ask for `before` this to get what follows; absent at the end. */
  next?: string | null
  /** Everything in it. */
  total: number
  /** Bytes of the originals in it. */
  total_bytes: number
}

/** Something in the trash; its pictures are where those of any asset are. */
export interface TrashedView {
  /** Days left until then, begun ones counted in full. */
  days_left: number
  /** Length of a video in milliseconds. */
  duration_ms?: number | null
  /** For what cannot be shown, the ending of its name. */
  file?: string | null
  /** Name of its file. */
  file_name: string
  /** Upright height in pixels; 0 when there is no picture. */
  height: number
  /** The asset. */
  id: string
  /** When it is deleted for good, Unix milliseconds; a clock that is set does not make that earlier by more than a week. */
  purged_at: number
  /** Whether it came from somebody else. */
  received: boolean
  /** Size in bytes. */
  size_bytes: number
  /** When it was moved into the trash, Unix milliseconds. */
  trashed_at: number
  /** Upright width in pixels; 0 when there is no picture. */
  width: number
}

/** What became of one uploaded file. */
export interface UploadView {
  /** The asset, unless refused. */
  asset?: string | null
  /** `imported`, `kept` (as a file that cannot be shown), `duplicate`, `restored` (from the trash) or `refused`. */
  outcome: string
  /** Why it was refused or cannot be shown. */
  reason?: string | null
}

/** The model pack to use. */
export interface UseModelBody {
  /** Its id, or its name where only one has it. */
  pack: string
}

/** The vault from outside. */
export interface VaultView {
  /** Whether erasing everything takes the passphrase or the recovery phrase. */
  erasing_takes_secret: boolean
  /** Whether the owner has not been through the first steps yet; only told to those who are signed in. */
  first_run: boolean
  /** Name of the machine. */
  machine: string
  /** Whether it is locked. */
  phase: Phase
  restore?: RestoreView | null
  /** How long the next try has to wait after wrong ones, in milliseconds. */
  wait_ms: number
  /** What unlocks it; empty before its first start. */
  ways: Array<WayView>
}

/** What to do with the files of the vault. */
export interface VerifyBody {
  /** Whether to mend what is damaged. */
  repair: boolean
}

/** How the files of the vault are. */
export interface VerifyView {
  /** Their bytes. */
  bytes: number
  /** Assets with damaged files; 200 at most. */
  damaged: Array<DamageView>
  /** How many there are in all. */
  damaged_total: number
  /** Bytes read by it. */
  done_bytes: number
  /** Files done by what runs. */
  done_files: number
  /** Files that were read then. */
  files: number
  /** When every file was last read, Unix milliseconds. */
  last_at?: number | null
  /** Files that were damaged and are mended. */
  mended: number
  /** Files that it has to look at. */
  of_files: number
  /** Why the last try failed. */
  problem?: string | null
  /** What runs: `salvage` takes in photos whose records were lost, `read` reads every file, `mend` makes sound what is damaged. */
  running?: string | null
}

/** A video's length and how far the work on it has got. */
export interface VideoView {
  /** Per cent of that copy that is made, while it is being made. */
  copy_percent?: number | null
  /** Length in milliseconds; 0 while it is not known. */
  duration_ms: number
  /** Per cent of the video that was searched for faces, while it is being searched. */
  faces_percent?: number | null
  /** `ready` (it plays), `waiting` (a copy that browsers play is being made) or `failed`. */
  playable: string
  /** Why it does not play, in words. */
  reason?: string | null
}

/** One watched folder. */
export interface WatchedFolderView {
  /** Absolute path. */
  path: string
  /** Why it cannot be read now, if so. */
  problem?: string | null
}

/** A way to unlock the vault. */
export type WayView = "key-file" | "passphrase" | "recovery"

/** One background worker, for the status page. */
export interface WorkerView {
  /** Jobs done since start. */
  done: number
  /** The last error, in words. */
  last_error?: string | null
  /** Name, such as `faces` or `transfer`. */
  name: string
  /** Jobs known to be waiting. */
  pending: number
  /** `idle`, `working` or `failing`. */
  state: string
}
