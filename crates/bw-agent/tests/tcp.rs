//! Who may ask over TCP, and who may not.

#![cfg(unix)]
// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use bw_agent::{Agent, AgentBuilder};
use support::{Answer, exchange};

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// An agent on TCP alone, stopped with this.
struct OnTcp(Agent);

impl OnTcp {
    fn start(token: Option<&str>) -> Self {
        let builder = bw_agent::builder().no_socket().tcp(LOOPBACK);
        let builder = token.into_iter().fold(builder, AgentBuilder::token);
        Self(builder.start().unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.tcp().unwrap()
    }

    /// With these lines for headers.
    fn ask(&self, headers: &str) -> Answer {
        self.send(&format!("GET /debug/async/process HTTP/1.1\r\n{headers}\r\n"))
    }

    fn send(&self, request: &str) -> Answer {
        let received = exchange(TcpStream::connect(self.address()).unwrap(), request.as_bytes()).unwrap();
        Answer::parse(&received)
            .unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&received)))
    }
}

impl Drop for OnTcp {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[test]
fn nothing_listens_on_tcp_unless_told() {
    let agent = support::OwnAgent::start();
    assert_eq!(agent.agent().tcp(), None);
}

#[test]
fn a_loopback_address_needs_no_token() {
    let agent = OnTcp::start(None);
    assert_eq!(agent.0.socket(), None);
    let port = agent.address().port();
    let process = agent.ask("Host: localhost\r\n").json();
    assert_eq!(process["tcp"], agent.address().to_string());
    for host in ["localhost", &format!("localhost:{port}"), &format!("127.0.0.1:{port}"), "[::1]:80"] {
        let answer = agent.ask(&format!("Host: {host}\r\n"));
        assert_eq!((answer.status, &answer.json()["pid"]), (200, &std::process::id().into()), "{host}");
    }
    if let Ok(agent) = bw_agent::builder().no_socket().tcp((Ipv6Addr::LOCALHOST, 0)).start() {
        let received = exchange(
            TcpStream::connect(agent.tcp().unwrap()).unwrap(),
            b"GET /debug/async/process HTTP/1.1\r\nHost: [::1]\r\n\r\n",
        );
        assert_eq!(Answer::parse(&received.unwrap()).unwrap().status, 200);
        agent.stop();
    } else {
        eprintln!("skipped: IPv6 is not there");
    }
}

#[test]
fn other_machines_never_ask_without_a_token() {
    for address in [SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), (Ipv6Addr::UNSPECIFIED, 0).into()] {
        let error = bw_agent::builder().no_socket().tcp(address).start().unwrap_err().to_string();
        assert!(error.contains("AgentBuilder::token") && error.contains("127.0.0.1"), "{error}");
    }
    let error = bw_agent::builder().no_socket().tcp(LOOPBACK).token("").start().unwrap_err().to_string();
    assert!(error.contains("the token is empty"), "{error}");

    let agent =
        bw_agent::builder().no_socket().tcp((Ipv4Addr::UNSPECIFIED, 0)).token("secret").start().unwrap();
    let agent = OnTcp(agent);
    let at = (Ipv4Addr::LOCALHOST, agent.address().port());
    let received =
        exchange(TcpStream::connect(at).unwrap(), &support::request("GET", "/debug/async/dump")).unwrap();
    assert_eq!(Answer::parse(&received).unwrap().status, 401);
}

#[test]
fn a_wrong_token_is_refused_and_the_right_one_is_not() {
    let agent = OnTcp::start(Some("s:cret"));
    // `any:s:cret`, `any:wrong`, `s:cret`, and bytes that are no UTF-8.
    let basic = |credentials: &str| format!("Host: example.com\r\nAuthorization: Basic {credentials}\r\n");
    for headers in [
        "Host: example.com\r\nAuthorization: Bearer s:cret\r\n",
        "Host: example.com\r\nauthorization: bearer s:cret\r\n",
        &basic("YW55OnM6Y3JldA=="),
        &basic("OnM6Y3JldA=="),
    ] {
        assert_eq!(agent.ask(headers).status, 200, "{headers}");
    }
    for headers in [
        "Host: localhost\r\n",
        "Host: localhost\r\nAuthorization: Bearer wrong\r\n",
        "Host: localhost\r\nAuthorization: Bearer s:cret2\r\n",
        "Host: localhost\r\nAuthorization: Bearer s:cre\r\n",
        "Host: localhost\r\nAuthorization: Bearer\r\n",
        "Host: localhost\r\nAuthorization: s:cret\r\n",
        "Host: localhost\r\nAuthorization: Digest s:cret\r\n",
        "Host: localhost\r\nAuthorization: Bearer \u{1F511}\r\n",
        &basic("YW55Ondyb25n"),
        &basic("czpjcmV0"),
        &basic("/////w=="),
        &basic("!"),
        "Host: localhost\r\nX-Token: s:cret\r\n",
    ] {
        let answer = agent.ask(headers);
        assert_eq!(answer.status, 401, "{headers}: {}", answer.text());
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="), "{answer:?}");
        assert!(!answer.text().contains("s:cret"));
    }
    // The token is not for addresses, which are logged.
    let answer = agent.send("GET /debug/async/process?token=s:cret HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(answer.status, 401);
}

#[test]
fn a_page_whose_name_is_made_to_mean_this_machine_reads_nothing() {
    let agent = OnTcp::start(None);
    for headers in [
        "Host: example.com\r\n",
        "Host: localhost.example.com\r\n",
        "Host: 127.0.0.1.nip.io\r\n",
        "Host: 10.0.0.1\r\n",
        "Host: localhost\r\nHost: example.com\r\n",
        "",
    ] {
        let answer = agent.ask(headers);
        assert!(matches!(answer.status, 400 | 403), "{headers}: {}", answer.text());
        assert!(!answer.text().contains("pid"), "{}", answer.text());
    }
    let answer = agent.send("GET http://example.com/debug/async/process HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(answer.status, 403);
    let refused = agent.ask("Host: example.com\r\n");
    assert!(refused.text().contains("ask for localhost or a loopback address"), "{}", refused.text());
}

#[test]
fn a_page_of_another_site_has_nothing_done() {
    for (token, authorization) in [(None, ""), (Some("secret"), "Authorization: Bearer secret\r\n")] {
        let agent = OnTcp::start(token);
        let ask = |site: &str| {
            agent.ask(&format!("Host: localhost\r\nSec-Fetch-Site: {site}\r\n{authorization}")).status
        };
        assert_eq!(ask("cross-site"), 403);
        assert_eq!([ask("same-origin"), ask("none")], [200, 200]);
    }
}

#[test]
fn an_address_that_is_taken_is_an_error_that_says_so() {
    let taken = TcpListener::bind(LOOPBACK).unwrap();
    let address = taken.local_addr().unwrap();
    let error = bw_agent::builder().no_socket().tcp(address).start().unwrap_err();
    assert!(error.to_string().contains(&format!("cannot listen on {address}")), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn an_agent_that_failed_leaves_no_socket_behind() {
    let taken = TcpListener::bind(LOOPBACK).unwrap();
    let folder = support::Folder::new();
    let socket = folder.join("agent.sock");
    bw_agent::builder().socket(&socket).tcp(taken.local_addr().unwrap()).start().unwrap_err();
    assert!(!socket.exists());
}

#[test]
fn who_takes_all_places_on_tcp_never_locks_the_unix_socket() {
    let agent = support::OwnAgent::told(|builder| {
        builder.tcp(LOOPBACK).bounds(2, support::PATIENCE, support::PATIENCE)
    });
    let address = agent.agent().tcp().unwrap();
    let _silent: Vec<_> = (0..10).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(agent.get("/debug/async/process").status, 200);
}

#[test]
fn a_stopped_agent_listens_no_more() {
    let agent = OnTcp::start(None);
    let address = agent.address();
    let mut held = TcpStream::connect(address).unwrap();
    agent.0.stop();
    assert!(TcpStream::connect(address).is_err());
    // What was connected is closed: no read waits.
    let read = std::io::Read::read(&mut held, &mut [0; 1]);
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}
