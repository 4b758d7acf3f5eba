//! Hostile peers for hire: each joins a real daemon's event, or stays a stranger, and misbehaves in one way, while an honest member and the owner ask
//! the daemon and its memory is measured.
//!
//! | module | job |
//! |---|---|
//! | [`peer`], [`wire`] | a node of our own that speaks as the daemon does, and streams on which anything may be written |
//! | [`link`] | a connection made by hand, up to any step |
//! | [`member`] | somebody who was admitted, with keys and state |
//! | [`forge`] | bytes that no honest node would send |
//! | [`field`], [`watch`] | the daemon under attack with those around it; what is measured meanwhile |
//! | [`case`], [`cases`] | one way to misbehave and what came of it; all of them |
//! | [`page`] | the page `tests/hostile.md` |
//!
//! The daemon is a process of its own, reached by its sockets only. Not in here: broken bytes of single messages, which `protocol/tests` tries by the
//! thousand, and hostile files, which `make fuzz` does.

pub mod case;
pub mod cases;
pub mod field;
pub mod forge;
pub mod link;
pub mod member;
pub mod page;
pub mod peer;
pub mod watch;
pub mod wire;
