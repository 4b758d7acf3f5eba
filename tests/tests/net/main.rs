//! Tests on networks of their own: real daemons in network namespaces that find each other, lose each other and find each other again.

mod code;
mod doctor;
mod flood;
mod lan;
mod lines;
mod meet;
mod nat;
mod typed;
