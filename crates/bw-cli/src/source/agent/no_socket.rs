//! Where there are no unix sockets: no agent is found, and agents are asked at URLs.

use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bw_dump::contract::sockets::SocketName;

use super::http::NoAnswer;
use super::process::Process;

pub(super) type Stream = TcpStream;

#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) uid: u32,
    pub(super) pid: Option<u32>,
}

pub(super) fn connect(_: &Path, _: Instant) -> Result<(Stream, Peer), NoAnswer> {
    Err(NoAnswer::Connect(io::ErrorKind::Unsupported.into()))
}

pub(super) fn is_trusted(_: u32) -> bool {
    false
}

pub(super) fn is_trusted_by(_: u32) -> bool {
    false
}

pub(super) fn name_of(_: &Path) -> Option<SocketName> {
    None
}

pub(super) fn of_process(_: &Process) -> Vec<PathBuf> {
    Vec::new()
}

pub(super) fn all() -> Vec<(PathBuf, u32)> {
    Vec::new()
}
