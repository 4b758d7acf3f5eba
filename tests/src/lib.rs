//! What the end-to-end tests and the demo stand on: real daemons in throwaway folders, spoken to over their own API, and real photos.
//!
//! | module | job |
//! |---|---|
//! | [`daemon`] | start, kill, restart one `inframe` process; keep its log when a test fails |
//! | [`cli`] | run a command beside a daemon |
//! | [`kill`] | end a daemon at one system call |
//! | [`disk`] | a small disk that can be filled |
//! | [`doctor`] | run `inframe doctor` and read what it says |
//! | [`https`] | a browser of another device, as far as TLS and headers go; certificates |
//! | [`lan`] | a local network that can be cut, renumbered and routed |
//! | [`bad_line`] | a line of such a network that loses, delays, reorders and cuts |
//! | [`api`] | every endpoint of `/api/v1` over the daemon's Unix socket |
//! | [`events_api`] | those of events and transfers |
//! | [`notices`] | those of notices, and a receiver on loopback that is sent them |
//! | [`vault_api`] | those of the vault: lock, ways to unlock, backup |
//! | [`views`] | the answers, as far as a client of ours reads them |
//! | [`wait`] | wait for a condition and say what was seen last |
//! | [`nat`] | two homes behind routers, and a relay between them |
//! | [`relay`] | one real `inframe relay` |
//! | [`peers`] | other programs that copy files, to be compared with |
//! | [`photos`] | the sample photos, the selfie, varied copies, planted metadata |
//! | [`heads`] | one head turned each way, for the pose challenge |
//! | [`films`] | videos made of the sample photos, with the real `ffmpeg` |
//! | [`planted`] | files with every kind of hidden data, and what tools read in a file |
//! | [`jpeg`] | the picture inside a JPEG, apart from its metadata |
//! | [`scene`] | a host, a photographer and a finder who meet in an event |
//! | [`files`] | a web server on loopback, from which model packs are downloaded |
//! | [`scan`] | a byte scan of a folder for things that must not be there |
//!
//! Deliberately absent: any use of the daemon's library. What is tested here is what another program sees: sockets, files, exit codes.

pub mod api;
pub mod bad_line;
pub mod cli;
pub mod daemon;
pub mod disk;
pub mod doctor;
pub mod events_api;
pub mod files;
pub mod films;
pub mod guest;
pub mod heads;
pub mod https;
pub mod jpeg;
pub mod kill;
pub mod lan;
pub mod nat;
pub mod notices;
pub mod peers;
pub mod photos;
pub mod planted;
pub mod relay;
pub mod scan;
pub mod scene;
pub mod syncthing;
pub mod vault_api;
pub mod views;
pub mod wait;
