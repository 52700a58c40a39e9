//! The sockets of agents: where they are ([`find`]), and who is at the other end ([`connect`](mod@connect)).

mod connect;
mod find;

pub(super) use connect::{Peer, Stream, connect, is_trusted, is_trusted_by};
pub(super) use find::{all, name_of, of_process};
