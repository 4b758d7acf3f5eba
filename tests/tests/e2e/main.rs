//! End-to-end tests: real daemons in throwaway folders, over their own API.

mod backup;
mod children;
mod disk;
mod enrol;
mod erase;
mod export;
mod golden;
mod guardians;
mod import;
mod invites;
mod keys;
mod leaving;
mod local_api;
mod lock;
mod models;
mod peers;
mod people;
mod recovery;
mod restore;
mod secrecy;
mod sharing;
mod traffic;
mod trash;
mod unfit_files;
mod verify;
mod videos;
