//! Every bound of the daemon, with its unit and its reason (D7): what a peer, a guest or a file can make grow stops here.

use std::time::Duration;

// ---- vault: blobs ----

/// Plain bytes in one chunk of a blob. 64 KiB to 1 MiB measure within 15 % of each other; 256 KiB costs 0.006 % in tags, equals the group in which
/// photos travel between nodes, and is small enough to hold one per open reader.
pub const BLOB_CHUNK_BYTES: usize = 256 * 1024;

/// Largest plain size of one blob, in bytes: 64 GiB, an evening of camera video. A header that claims more is refused before anything is allocated.
pub const MAX_BLOB_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// Largest metadata of one blob, in bytes: what rebuilds a catalog entry takes a few hundred.
pub const MAX_BLOB_META_BYTES: usize = 16 * 1024;

/// Metadata is padded to a multiple of this many bytes, so that its length tells nothing and so that it can still grow while a blob is written.
pub const BLOB_META_STEP_BYTES: usize = 256;

/// Largest blob that is read into memory in one call, in bytes: photos are far below it, videos are read through a reader.
pub const MAX_BLOB_READ_WHOLE_BYTES: u64 = 256 * 1024 * 1024;

/// Most blobs in one durable batch: a photo with its thumbnails is three or four; more than this holds too many open files.
pub const MAX_BLOBS_PER_BATCH: usize = 256;

// ---- vault: catalog ----

/// Longest key of a record, in bytes: ids of 32 bytes, or two of them and a number.
pub const MAX_CATALOG_KEY_BYTES: usize = 128;

/// Largest value of a record, in bytes: one has a few kilobytes, a list of a thousand ids some ten; the whole state of an event, as older versions kept it, fits.
pub const MAX_CATALOG_VALUE_BYTES: usize = 4 * 1024 * 1024;

/// Largest sum of keys and values in one batch, in bytes: it is held in memory three times while it is committed.
pub const MAX_CATALOG_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Most changes in one batch.
pub const MAX_CATALOG_BATCH_CHANGES: usize = 50_000;

/// Memory that the database may use as its cache, in bytes: a status page must not cost a NAS its memory.
pub const CATALOG_CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// A snapshot is due after this many bytes of journal: replaying them takes about a second.
pub const CATALOG_JOURNAL_DUE_BYTES: u64 = 64 * 1024 * 1024;

/// A snapshot is due after this many commits even if they were small.
pub const CATALOG_JOURNAL_DUE_COMMITS: u64 = 20_000;

/// A commit writes the snapshot itself once the journal has this many bytes, so that it stays bounded when nobody asked for one.
pub const CATALOG_JOURNAL_MAX_BYTES: u64 = 256 * 1024 * 1024;

// ---- vault: keys ----

/// Largest key-slots file that is read, in bytes: 16 slots take about 2 KiB.
pub const MAX_KEY_SLOTS_BYTES: u64 = 64 * 1024;

/// Most key slots: a key file, a passphrase, a recovery phrase, and room for replacing each.
pub const MAX_KEY_SLOTS: usize = 16;

/// Least characters of a new passphrase: four short words. Shorter ones would be found by trying.
pub const MIN_PASSPHRASE_CHARS: usize = 14;

/// Largest passphrase, in bytes.
pub const MAX_PASSPHRASE_BYTES: usize = 1024;

/// Cost of one guess at a passphrase: memory in KiB, passes and lanes of Argon2id. RFC 9106 recommends these for machines that are short of memory.
pub const PASSPHRASE_MEMORY_KIB: u32 = 64 * 1024;
/// See [`PASSPHRASE_MEMORY_KIB`].
pub const PASSPHRASE_PASSES: u32 = 3;
/// See [`PASSPHRASE_MEMORY_KIB`].
pub const PASSPHRASE_LANES: u32 = 4;

/// Largest memory of a passphrase slot that is read, in KiB (1 GiB): a later version may ask for more than this one does.
pub const MAX_PASSPHRASE_MEMORY_KIB: u32 = 1024 * 1024;
/// Most passes of a passphrase slot that is read.
pub const MAX_PASSPHRASE_PASSES: u32 = 16;
/// Most lanes of a passphrase slot that is read.
pub const MAX_PASSPHRASE_LANES: u32 = 16;

/// Largest key file that is read, in bytes.
pub const MAX_KEY_FILE_BYTES: u64 = 4 * 1024;

// ---- data folder ----

/// How long opening waits for a database lock that a just ended owner in this process still holds.
pub const DATABASE_LOCK_PATIENCE: Duration = Duration::from_secs(5);

// ---- disk ----

/// Kept free on the disk of the data folder, in bytes (1 GiB): the catalog's journal may grow to 256 MiB, its snapshot is written beside the old
/// one, its database grows by as much, and thumbnails and faces of what is here already still come.
pub const DISK_RESERVE_BYTES: u64 = 1024 * 1024 * 1024;

/// On a small disk this part of it instead, one in so many: a memory card of 8 GB keeps 400 MB free, and its library is as much smaller.
pub const DISK_RESERVE_PART: u64 = 20;

/// A file that only takes up space, in bytes. Other programs may fill the disk to its last byte; then this file goes, so that there is room for
/// the commits by which things are deleted: some hundred bytes for each photo.
pub const DISK_BALLAST_BYTES: u64 = 16 * 1024 * 1024;

/// How often somebody who waits for space looks whether it is there.
pub const DISK_ROOM_CHECK: Duration = Duration::from_secs(2);

/// How often it is looked whether the disk is almost full, for the notice on the pages.
pub const DISK_WATCH: Duration = Duration::from_secs(10);

/// A file whose size is not known beforehand asks for so much room at a time, in bytes.
pub const DISK_ROOM_STEP_BYTES: u64 = 16 * 1024 * 1024;

// ---- people ----

/// Longest name of a person, in characters: first and family names with room, and one line on the screen.
pub const MAX_PERSON_NAME_CHARS: usize = 60;

/// The same in bytes: all of them of the longest kind.
pub const MAX_PERSON_NAME_BYTES: usize = 240;

/// Corrections that can be taken back one after the other. Each holds what it touched, some kilobytes at most.
pub const CORRECTIONS_KEPT: usize = 20;

/// Rows of people in one commit: a row has some hundred bytes, and a photo with a hundred faces ten kilobytes.
pub const PEOPLE_ROWS_PER_BATCH: usize = 1000;

/// Photos whose faces are grouped in one step, in one commit.
pub const PHOTOS_GROUPED_PER_STEP: usize = 64;

/// Photos whose faces are fed to the search at once after a start: a lock of some ten milliseconds.
pub const PHOTOS_WARMED_PER_STEP: usize = 200;

/// Faces that one correction can name.
pub const MAX_FACES_PER_CORRECTION: usize = 1000;

/// Photos of a person in one answer.
pub const MAX_PERSON_PHOTOS_PER_ANSWER: usize = 1000;

/// Questions in one answer; the next come when these are answered.
pub const QUESTIONS_PER_ANSWER: usize = 20;

/// Pictures of faces kept in memory, in bytes: some thousand. They are never on disk in plain.
pub const FACE_PICTURES_BYTES: usize = 16 * 1024 * 1024;

// ---- trash ----

/// How long what was deleted can be restored.
pub const TRASH_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How much of a jump of the wall clock counts as time in the trash: a week of holidays with the machine off. A clock that is set years ahead
/// costs what is in the trash a week and never all at once.
pub const TRASH_JUMP_COUNTS: Duration = Duration::from_secs(7 * 24 * 3600);

/// A photo that is damaged here is asked for again this often while whoever sent it is connected.
pub const ASKED_AGAIN: Duration = Duration::from_secs(60);

/// A photo that was delivered is offered again at most this often to whoever has lost it.
pub const OFFERED_AGAIN: Duration = Duration::from_secs(30);

/// Largest list of blobs being deleted that is read, in bytes: two million files.
pub const MAX_PURGING_BYTES: u64 = 64 * 1024 * 1024;

/// Photos named in one request to the trash, and in one answer of it: a screen shows some hundred.
pub const MAX_TRASH_PER_REQUEST: usize = 1000;

/// Files of purged photos erased in one step, so that the status page shows how it goes on: each costs two waits for the disk.
pub const FILES_ERASED_PER_STEP: usize = 100;

// ---- tasks ----

/// How long an orderly shutdown may take before the tasks that remain are cut off.
pub const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

// ---- model packs ----

/// Model packs that an owner may add: each has about 30 MB, and a list of more is no help.
pub const MAX_MODEL_PACKS: usize = 16;

/// How long a server from which a pack is downloaded may take to answer.
pub const PACK_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a file of a pack may take to download: the largest one, 128 MiB, at 100 kB/s.
pub const PACK_FILE_TIMEOUT: Duration = Duration::from_secs(1400);

/// How often a server may point elsewhere: a code hoster needs two.
pub const MAX_PACK_REDIRECTS: u32 = 5;

// ---- over the network ----

/// Least characters of the password that signs in over the network: what guesses at it does so through the slow-down, not on a copy of the hash alone.
pub const MIN_PASSWORD_CHARS: usize = 10;
/// Longest password, in bytes: with its JSON it fits the body of a sign-in.
pub const MAX_PASSWORD_BYTES: usize = 256;
/// Largest file of its hash that is read, in bytes; one has about 110.
pub const MAX_PASSWORD_FILE_BYTES: u64 = 1024;
/// Largest certificate or key that is read, in bytes: a chain of several certificates takes some ten thousand.
pub const MAX_PEM_BYTES: u64 = 256 * 1024;
/// Days that a certificate of the node's own is good: browsers take none for longer than 398.
pub const OWN_CERTIFICATE_DAYS: u64 = 397;
/// Days before its end at which a certificate of the node's own is made anew, and at which the owner is told that theirs ends.
pub const CERTIFICATE_ENDS_SOON_DAYS: u64 = 21;
/// Addresses in a certificate of the node's own; a machine with containers has many.
pub const CERTIFICATE_ADDRESSES: usize = 16;
/// How often it is looked whether addresses of this device or files of a certificate have changed.
pub const CERTIFICATE_LOOK_EVERY: Duration = Duration::from_secs(30);

// ---- the door ----

/// Wrong secrets at the door before the next try has to wait; a tired owner mistypes a few times.
pub const UNLOCK_FREE_TRIES: u32 = 4;
/// The longest wait after wrong secrets: 1,440 tries a day do not guess four words.
pub const UNLOCK_LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long locking waits for the last holder of a node that was stopped, such as a job on the blocking pool.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(30);
/// How often it looks.
pub const LOCK_POLL: Duration = Duration::from_millis(10);

/// How long erasing everything waits for others to hear that faces were taken back; who hears nothing erases them within a day.
pub const FAREWELL_PATIENCE: Duration = Duration::from_secs(5);

/// Bytes read and written at a time while a backup is copied.
pub const BACKUP_PIECE_BYTES: usize = 256 * 1024;
/// How often a backup begins again because photos were deleted while it ran.
pub const BACKUP_ROUNDS: u32 = 4;
/// How often it is looked whether a backup is due.
pub const BACKUP_SLICE: Duration = Duration::from_secs(300);
/// A backup that failed, as for a disk that is not connected, is tried again after this long.
pub const BACKUP_RETRY: Duration = Duration::from_secs(15 * 60);
/// Versions of a backup that stay: the newest of so many days,
pub const BACKUP_DAYS: usize = 7;
/// of so many weeks,
pub const BACKUP_WEEKS: usize = 4;
/// and of so many months. A photo that is deleted for good is gone from the backup after as long.
pub const BACKUP_MONTHS: usize = 6;

/// Longest name of an exported original, in bytes: sidecars append five, and file systems take 255.
pub const EXPORT_NAME_BYTES: usize = 200;
/// Bytes read and written at a time while originals are exported.
pub const EXPORT_PIECE_BYTES: usize = 256 * 1024;
/// How much of a sidecar that is there is compared, in bytes: ours have some kilobytes.
pub const MAX_EXPORT_SIDECAR_BYTES: u64 = 1024 * 1024;
/// Room that a sidecar takes on a disk, in bytes: one block of most file systems.
pub const EXPORT_SIDECAR_ROOM_BYTES: u64 = 4096;
/// Damaged originals that the result of an export names; of more it tells the number. A screen is no place for more, and the disk is failing.
pub const MAX_EXPORT_NAMED: usize = 100;

// ---- notices ----

/// How long the receiver of a notice may take to answer: it gets a few hundred bytes and says one word.
pub const NOTICE_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest text of a notice that is sent, in characters: ntfy makes a file of what has more than 4,096 bytes, and a screen shows some lines.
pub const MAX_NOTICE_CHARS: usize = 800;

/// Longest address of a receiver, in bytes.
pub const MAX_NOTICE_ADDRESS_BYTES: usize = 512;

/// Longest token of a receiver, in bytes: those of ntfy have 32.
pub const MAX_NOTICE_TOKEN_BYTES: usize = 256;

/// A receiver that did not take a notice is tried again after this long at first,
pub const NOTICE_FIRST_PAUSE: Duration = Duration::from_secs(10);
/// after twice as long each time, and never after longer than this. Nothing piles up meanwhile: what comes is counted into the same notice.
pub const NOTICE_LONGEST_PAUSE: Duration = Duration::from_secs(1800);

/// Notices of one kind in one hour, by one way; what is more is told in one when the hour is over.
pub const NOTICES_PER_HOUR: usize = 12;

/// Notices that a page which is opened later can still read.
pub const NOTICES_RECENT: usize = 20;

/// People, events and sentences that one notice names; the rest is a number.
pub const NOTICE_NAMES: usize = 3;

/// Photos of one notice that are told apart, so that one with two entries in the log counts once; of more, such a one counts twice.
pub const NOTICE_PHOTOS_KNOWN: usize = 1000;

/// Entries of the activity log read at a time.
pub const NOTICE_ENTRIES_PER_PAGE: usize = 500;
