//! The Inframe daemon as a library: one module a concern, each importing only from those listed before it.

pub mod limits;

pub mod views;

pub mod clock;

pub mod config;

pub mod data_dir;

pub mod disk;

pub mod tasks;

pub mod live;

pub mod vault;

pub mod tls;

pub mod settings;

pub mod ledger;

pub mod activity;

pub mod sandbox;

pub mod video;

pub mod library;

pub mod faces;

pub mod outward;

pub mod packs;

pub mod notices;

pub mod people;

pub mod matching;

pub mod sharing;

pub mod events;

pub mod guest;

pub mod network;

pub mod transfer;

pub mod doctor;

pub mod workers;

pub mod node;

pub mod door;

pub mod web;

pub mod cli;

pub mod run;

#[cfg(test)]
mod secrets;
