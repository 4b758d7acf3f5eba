//! The guest page: a listener and a router of its own, open to the whole network, and only while a host has switched it on.
//!
//! It shares nothing with the dashboard: no route, no cookie, no session. Whoever comes has to know the token of a page, and sees of the node what one guest of
//! one event may see. What is wrong about an address, an event that is off and one that never was are answered alike.
//!
//! | file | job |
//! |---|---|
//! | `serve` | opens and closes the port as pages are switched on and off |
//! | `desk` | who asks: token, guest, pace |
//! | `routes` | every address as a thin handler |
//! | `archive` | photos and videos as one file, as they are made |
//! | `files` | the page itself |

mod archive;
mod desk;
mod files;
mod routes;
mod serve;

pub use serve::serve_guests;
