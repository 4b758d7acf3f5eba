//! End-to-end tests: real daemons in throwaway folders, over their own API.

mod backup;
mod children;
mod enrol;
mod guardians;
mod import;
mod invites;
mod keys;
mod local_api;
mod lock;
mod models;
mod people;
mod recovery;
mod secrecy;
mod sharing;
mod unfit_files;
mod videos;
