//! What the owner is told of: which words it has, when it is told, and how it is sent out.
//!
//! | file | job |
//! |---|---|
//! | `words` | what came, counted, and the sentences made of it: with names and without |
//! | `pace` | bursts are gathered, an hour has its share, a failure is tried again later |
//! | `receiver` | one HTTP POST to the address that the owner named |
//!
//! All of it is values; what there is to tell is found by the worker of the same name.

mod pace;
mod receiver;
mod words;

pub use pace::{Gathering, Pace, Retries, pace};
pub use receiver::{BadReceiver, Message, NotTaken, Receiver};
pub use words::{EventName, Item, Matter, Tally};
