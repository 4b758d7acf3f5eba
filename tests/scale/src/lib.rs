//! How large an event can be: events of up to a thousand members in one process, with the real protocol and a clock of their own.
//!
//! Each member has the state, the decisions and the messages of a daemon: rosters and records are signed, sealed, encoded, decoded and verified
//! by `inframe-protocol`, and whom a member keeps connected, what it asks, announces and pushes is decided there too
//! (`inframe_protocol::event::spreading`). What is simulated is the rest: the clock, links with a delay and a width, people who come and go,
//! and gossip as libp2p's gossipsub does it (six neighbours in a mesh, the others told each second what there is).
//!
//! Counted is what a member sends: frames and gossiped records with their envelope. Not counted are pings and what TCP, Noise and Yamux add.

mod gossip;
mod measure;
mod member;
mod random;
mod syncing;
mod world;

pub use measure::Report;
pub use world::Settings;

/// Runs an event and measures it.
///
/// # Errors
/// When the protocol refuses what an honest member does, which is a fault of this program or of the protocol.
pub fn run(settings: &Settings) -> anyhow::Result<Report> {
    world::World::new(settings)?.run()
}
