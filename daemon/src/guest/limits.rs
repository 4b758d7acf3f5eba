//! What guests can make grow, and how far (D7).

use std::time::Duration;

/// Plain bytes of a piece of an upload. A phone seals one in a fraction of a second, and after a lost connection at most this much is sent again.
pub const PIECE_BYTES: u64 = 1024 * 1024;
/// Largest file that a guest adds, in bytes: some minutes of video from a phone.
pub const FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Files that a guest may have under way at once.
pub const COMING_PER_GUEST: usize = 20;
/// Files that a guest may add in all.
pub const UPLOADS_PER_GUEST: usize = 1_000;
/// What a guest may add in all, in bytes.
pub const BYTES_PER_GUEST: u64 = 32 * 1024 * 1024 * 1024;
/// What guests of one event may have under way at once, in bytes: so that one cannot fill the disk with what is never finished.
pub const COMING_BYTES_PER_EVENT: u64 = 64 * 1024 * 1024 * 1024;
/// Guests of one event.
pub const GUESTS_PER_EVENT: usize = 1_000;
/// Letters of a guest's name.
pub const NAME_CHARS: usize = 40;
/// Bytes of a guest's name.
pub const NAME_BYTES: usize = 160;
/// Photos in which one guest is found, at most; the nearest count.
pub const MATCHES_PER_GUEST: usize = 2_000;
/// Removals that one guest may ask for.
pub const REMOVALS_PER_GUEST: usize = 100;
/// Letters of the words that go with such a wish.
pub const REASON_CHARS: usize = 300;
/// The same in bytes.
pub const REASON_BYTES: usize = 1_200;
/// An upload that got no piece for so long is given up, in milliseconds: a day.
pub const COMING_LIFE_MS: u64 = 24 * 60 * 60 * 1000;
/// Days from the end of an event until guests' face data is erased, when the host does not say: long enough to look at the photos of a weekend.
pub const KEEP_DAYS: u16 = 7;
/// The most that the host may say.
pub const MAX_KEEP_DAYS: u16 = 90;
/// The end of a guest page whose event has none, from the moment at which it was switched on, in milliseconds: two days.
pub const NO_END_MS: u64 = 2 * 24 * 60 * 60 * 1000;
/// Furthest end that the host may set, from now, in milliseconds: two years.
pub const MAX_END_MS: u64 = 2 * 365 * 24 * 60 * 60 * 1000;
/// Letters of the name of a Wi-Fi network, which has 32 bytes at most.
pub const WIFI_NAME_BYTES: usize = 32;
/// Bytes of its password, which has 63 letters at most.
pub const WIFI_PASSWORD_BYTES: usize = 63;

/// Addresses and guests whose pace is remembered; those that were quiet for longest make room.
pub const PACES: usize = 4_096;
/// A sealed JSON body, in bytes: a name, or the words of a wish.
pub const JSON_BYTES: usize = 8 * 1024;
/// A selfie, in bytes. The page makes it smaller than this wherever the browser can.
pub const SELFIE_BYTES: usize = 16 * 1024 * 1024;
/// Selfies looked at and pieces taken at once; bounds their memory to some 150 MiB and 30 MiB.
pub const SELFIES_AT_ONCE: usize = 4;
/// See [`SELFIES_AT_ONCE`].
pub const PIECES_AT_ONCE: usize = 8;
/// Connections at once, and of one address. Each browser opens six; behind some routers all guests have one address.
pub const CONNECTIONS: usize = 1_024;
/// See [`CONNECTIONS`].
pub const CONNECTIONS_PER_ADDRESS: usize = 256;
/// A connection on which nothing passes for so long is closed.
pub const IDLE: Duration = Duration::from_secs(60);
/// A video that was made ready for guests is kept so long after the last one got it, in milliseconds: an evening's worth of looking again.
pub const VIDEO_LIFE_MS: u64 = 60 * 60 * 1000;
/// What is kept of them at once, in bytes; the one that was got longest ago makes room.
pub const VIDEO_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Bytes of one archive: below what the plain form of the format can say, which every phone opens.
pub const ARCHIVE_BYTES: u64 = 3 * 1024 * 1024 * 1024;
