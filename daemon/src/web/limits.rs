//! What the local web edge lets grow, and how far (D7).

use std::time::Duration;

use crate::limits::BLOB_CHUNK_BYTES;

/// One uploaded file that is no video, in bytes; the same bound as for any picture that the sandbox decodes. Videos are stored as they come.
pub const UPLOAD_BYTES: usize = 64 * 1024 * 1024;
/// One frame of the camera in a pose challenge, in bytes: 960 pixels of JPEG at good quality take a tenth of it.
pub const FRAME_BYTES: usize = 1024 * 1024;
/// Any JSON body, in bytes; the largest wish of the dashboard is far below 4 KiB.
pub const JSON_BYTES: usize = 64 * 1024;
/// A list of assets chosen by hand, in bytes: 10,000 ids of 64 hex digits with quotes and commas.
pub const ASSETS_JSON_BYTES: usize = 1024 * 1024;
/// Ids in a list of assets chosen by hand.
pub const ASSETS_PER_WISH: usize = 10_000;
/// A body that is too large is read and thrown away up to here, in bytes, so that the browser sees the answer and not a reset.
pub const DISCARDED_BYTES: u64 = 512 * 1024 * 1024;
/// Pieces of an uploaded video that wait to be stored; the browser is told to wait when there are more.
pub const VIDEO_PIECES: usize = 4;
/// Uploads held in memory at once; with `UPLOAD_BYTES` this bounds their memory to 256 MiB.
pub const UPLOADS_AT_ONCE: usize = 4;
/// A file name in a query, in bytes; the usual bound of file systems.
pub const FILE_NAME_BYTES: usize = 255;
/// Bytes read from a stored original at once: a chunk of a blob, which is decrypted as a whole.
pub const ORIGINAL_PIECE_BYTES: u64 = BLOB_CHUNK_BYTES as u64;
/// Pieces of one download that are decrypted while another is sent.
pub const ORIGINAL_PIECES_AHEAD: usize = 2;
/// Entries of the activity log in one answer.
pub const ACTIVITY_PER_PAGE: u32 = 500;
/// Entries of the activity log when the page size is not given.
pub const ACTIVITY_DEFAULT: u32 = 100;
/// Entries of the trash when the page size is not given.
pub const TRASH_DEFAULT: usize = 200;
/// Text of an error made by the web framework, in bytes, before it is cut.
pub const ERROR_TEXT_BYTES: usize = 4 * 1024;

/// Live sockets at once: some windows with several tabs each.
pub const LIVE_SOCKETS: usize = 64;
/// A message from the page on the live socket, in bytes; pages have nothing to say but pongs.
pub const LIVE_INCOMING_BYTES: usize = 4 * 1024;
/// Time between pings on a live socket; also how soon a closed session ends its sockets.
pub const LIVE_PING_EVERY: Duration = Duration::from_secs(30);
/// A page that does not take a message for this long is let go.
pub const LIVE_SEND_WITHIN: Duration = Duration::from_secs(30);

/// Sessions at once; the one unused for longest makes room.
pub const SESSIONS: usize = 16;
/// A session ends after this long without a request, in milliseconds: 12 hours.
pub const SESSION_IDLE_MS: u64 = 12 * 60 * 60 * 1000;
/// A session ends this long after its start, in milliseconds: 7 days.
pub const SESSION_LIFE_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// The last use of a session is stored at most this often, in milliseconds, so that looking at photos writes nothing.
pub const SESSION_STORE_EVERY_MS: u64 = 10 * 60 * 1000;
/// Launch tokens alive at once; the oldest makes room.
pub const LAUNCH_TOKENS: usize = 8;
/// A launch token that nobody used ends after this long, in milliseconds: 10 minutes.
pub const LAUNCH_LIFE_MS: u64 = 10 * 60 * 1000;
/// Length of the text of a launch token that is looked at, in bytes; a true one has 43.
pub const LAUNCH_TEXT_BYTES: usize = 128;

/// Connections to the dashboard over the network at once, and of one address: a browser opens six and a live socket for each tab.
pub const LAN_CONNECTIONS: usize = 256;
/// See [`LAN_CONNECTIONS`].
pub const LAN_CONNECTIONS_PER_ADDRESS: usize = 64;
/// A connection to it on which nothing passes for so long is closed; live sockets are pinged more often.
pub const LAN_IDLE: Duration = Duration::from_secs(120);
/// How long somebody may take for the handshake of an encrypted connection, or to ask for something in the clear.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// What somebody who does not encrypt is listened to, in bytes: an address fits in.
pub const PLAIN_HEAD_BYTES: usize = 8 * 1024;
/// A body with a password or a launch token, in bytes.
pub const SIGN_IN_BYTES: usize = 1024;
/// Wrong passwords of one address before the next try has to wait; a tired owner mistypes a few times.
pub const TRIES_FREE: u32 = 4;
/// The longest wait of one address: 1,440 tries a day.
pub const TRIES_LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Wrong passwords of all addresses together before everybody has to wait.
pub const TRIES_FREE_OF_ALL: u32 = 20;
/// The longest wait of all: 8,640 tries a day from however many addresses guess no ten characters, and the owner does not wait long.
pub const TRIES_LONGEST_WAIT_OF_ALL: Duration = Duration::from_secs(10);
/// Wrong passwords are forgotten when none followed for so long.
pub const TRIES_FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);
/// Addresses whose wrong passwords are counted; those that were quiet for longest make room.
pub const TRIES_ADDRESSES: usize = 1_024;

/// How long open answers may go on after the stop signal.
pub const SHUTDOWN_WITHIN: Duration = Duration::from_secs(5);
/// Transfers in one answer.
pub const TRANSFERS_PER_PAGE: u32 = 500;
/// Transfers when the page size is not given.
pub const TRANSFERS_DEFAULT: u32 = 200;
