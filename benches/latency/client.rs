//! The client, in a process of its own: keeps idle connections, and does what it is told on its standard input.
//!
//! It answers each line with one: `ready` once the connections are there, then, to a number of seconds, the latencies of that
//! many seconds of load. It ends when the input does.

use std::io::BufRead;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use crate::helper_process::say;
use crate::load::Load;
use crate::open_files;

/// One in so many waits in a handler; the others have had an answer and say nothing more.
const ONE_WAITS_OF: usize = 50;

/// See the module.
pub(crate) fn run(address: &str, connections: usize, rate: u32) -> Result<(), String> {
    open_files::allow(connections)?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let (idle, mut load) = runtime.block_on(async {
        let mut idle = Vec::with_capacity(connections);
        for number in 0..connections {
            idle.push(open(address, number % ONE_WAITS_OF == 0).await?);
        }
        Ok::<_, String>((idle, Load::connect(address, rate).await?))
    })?;
    say("ready")?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let seconds: f64 = line.trim().parse().map_err(|_| format!("no number of seconds: {line:?}"))?;
        let percentiles = runtime.block_on(load.run(Duration::from_secs_f64(seconds)));
        say(&percentiles.to_string())?;
    }
    drop(idle);
    Ok(())
}

/// A connection that stays: its first request has been answered, or will not be for a long time.
async fn open(address: &str, waits: bool) -> Result<TcpStream, String> {
    let failed = |error| format!("an idle connection: {error}");
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    let path = if waits { "/news" } else { "/sell" };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    if !waits {
        let mut answer = [0; 512];
        let read = stream.read(&mut answer).await.map_err(failed)?;
        if !answer[..read].starts_with(b"HTTP/1.1 200") {
            return Err(format!(
                "an idle connection was answered {:?}",
                String::from_utf8_lossy(&answer[..read])
            ));
        }
    }
    Ok(stream)
}
