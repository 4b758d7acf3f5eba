//! What may leave this node, and in which form.

pub mod egress;
pub mod kept;
pub mod ledgers;
pub mod policy;
pub mod recalls;
pub mod shield;
pub mod undo;
