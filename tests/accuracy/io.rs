//! What tokio's drivers wake: timers and sockets.

/// The functions of a chain of three, as every module below has it.
const CHAIN: [&str; 3] = ["async fn self::outer", "async fn self::middle", "async fn self::leaf"];

mod sleep {
    use super::CHAIN;
    use crate::harness::{HOUR, at, waits};
    use std::time::Duration;

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        at!(leaf(HOUR)).await;
    }

    async fn leaf(duration: Duration) {
        at!(tokio::time::sleep(duration)).await;
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod interval {
    use super::CHAIN;
    use crate::harness::{HOUR, at, waits};
    use tokio::time::{Instant, Interval, interval_at};

    async fn outer() {
        at!(middle()).await;
    }

    async fn middle() {
        at!(leaf(interval_at(Instant::now() + HOUR, HOUR))).await;
    }

    async fn leaf(mut interval: Interval) {
        at!(interval.tick()).await;
    }

    #[test]
    fn waits() {
        // `tick` awaits a closure, whose own frame is tokio's.
        waits!(outer(), CHAIN);
    }
}

mod tcp_accept {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use std::io::Result;
    use tokio::net::{TcpListener, TcpStream};

    async fn outer() -> Result<()> {
        at!(middle()).await
    }

    async fn middle() -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        at!(leaf(&listener)).await.map(drop)
    }

    async fn leaf(listener: &TcpListener) -> Result<TcpStream> {
        let (stream, _) = at!(listener.accept()).await?;
        Ok(stream)
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

/// Two ends of a connection, made without waiting.
fn connection() -> (tokio::net::TcpStream, tokio::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let client =
        std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
    let (server, _) = listener.accept().expect("it connects");
    let nonblocking = |stream: std::net::TcpStream| {
        stream.set_nonblocking(true).expect("a socket");
        tokio::net::TcpStream::from_std(stream).expect("in a runtime")
    };
    (nonblocking(client), nonblocking(server))
}

mod tcp_read {
    use super::{CHAIN, connection};
    use crate::harness::{at, waits};
    use std::io::Result;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    async fn outer((_client, server): (TcpStream, TcpStream)) -> Result<usize> {
        at!(middle(server)).await
    }

    async fn middle(mut stream: TcpStream) -> Result<usize> {
        at!(leaf(&mut stream)).await
    }

    async fn leaf(stream: &mut TcpStream) -> Result<usize> {
        let mut buffer = [0; 16];
        at!(stream.read(&mut buffer)).await
    }

    #[test]
    fn waits() {
        waits!(outer(connection()), CHAIN);
    }
}

mod tcp_read_line {
    use super::{CHAIN, connection};
    use crate::harness::{at, waits};
    use std::io::Result;
    use tokio::io::{AsyncBufReadExt, BufReader};
    use tokio::net::TcpStream;

    async fn outer((_client, server): (TcpStream, TcpStream)) -> Result<Option<String>> {
        at!(middle(server)).await
    }

    async fn middle(stream: TcpStream) -> Result<Option<String>> {
        at!(leaf(BufReader::new(stream))).await
    }

    async fn leaf(reader: BufReader<TcpStream>) -> Result<Option<String>> {
        let mut lines = reader.lines();
        at!(lines.next_line()).await
    }

    #[test]
    fn waits() {
        waits!(outer(connection()), CHAIN);
    }
}

#[cfg(unix)]
mod unix_write {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use std::io::{Result, Write};
    use std::os::unix::net::UnixStream as StdStream;
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    async fn outer((near, _far): (UnixStream, StdStream)) -> Result<()> {
        at!(middle(near)).await
    }

    async fn middle(mut stream: UnixStream) -> Result<()> {
        at!(leaf(&mut stream)).await
    }

    async fn leaf(stream: &mut UnixStream) -> Result<()> {
        at!(stream.write_all(&[0; 16])).await
    }

    /// A pair whose first end takes no more bytes.
    fn full() -> (UnixStream, StdStream) {
        let (mut near, far) = StdStream::pair().expect("a pair of sockets");
        near.set_nonblocking(true).expect("a socket");
        while near.write(&[0; 1 << 12]).is_ok() {}
        (UnixStream::from_std(near).expect("in a runtime"), far)
    }

    #[test]
    fn waits() {
        waits!(outer(full()), CHAIN);
    }
}

mod udp {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use std::io::Result;
    use tokio::net::UdpSocket;

    async fn outer() -> Result<usize> {
        at!(middle()).await
    }

    async fn middle() -> Result<usize> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        at!(leaf(socket)).await
    }

    async fn leaf(socket: UdpSocket) -> Result<usize> {
        let mut buffer = [0; 16];
        let (length, _) = at!(socket.recv_from(&mut buffer)).await?;
        Ok(length)
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}

mod duplex {
    use super::CHAIN;
    use crate::harness::{at, waits};
    use std::io::Result;
    use tokio::io::{AsyncReadExt, DuplexStream};

    async fn outer() -> Result<u8> {
        at!(middle()).await
    }

    async fn middle() -> Result<u8> {
        let (_near, mut far) = tokio::io::duplex(16);
        at!(leaf(&mut far)).await
    }

    async fn leaf(stream: &mut DuplexStream) -> Result<u8> {
        at!(stream.read_u8()).await
    }

    #[test]
    fn waits() {
        waits!(outer(), CHAIN);
    }
}
