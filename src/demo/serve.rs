//! The roles, and what they have in common: one thread, a health page, an orderly end on SIGTERM.

use super::{DemoError, api, front, store};
use axum::Router;
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Where every part of the shop listens inside its container.
pub const PORT: u16 = 8080;
/// Where an api listens for [`Role::Slow`], on its own loopback only.
pub const CONTROL_PORT: u16 = 8081;
/// How long requests under way may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(2);

/// What one container of the shop does.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum Role {
    /// The proxy before the replicas.
    Front {
        /// A replica, as `name:port`; give one for each.
        #[arg(long = "api", required = true)]
        apis: Vec<String>,
        /// Where to listen.
        #[arg(long, default_value_t = PORT)]
        port: u16,
    },
    /// A replica of the shop's logic.
    Api {
        /// The store, as `name:port`.
        #[arg(long)]
        store: String,
        /// Where to listen.
        #[arg(long, default_value_t = PORT)]
        port: u16,
        /// Where to listen for `slow`, on loopback.
        #[arg(long, default_value_t = CONTROL_PORT)]
        control: u16,
    },
    /// Keeps the orders, in memory.
    Store {
        /// Where to listen.
        #[arg(long, default_value_t = PORT)]
        port: u16,
    },
    /// Asks the part that runs in this container whether it is healthy.
    Check {
        /// Where it listens.
        #[arg(long, default_value_t = PORT)]
        port: u16,
    },
    /// Makes the replica in this container slower, as a bad release would.
    Slow {
        /// Milliseconds added to every request; 0 ends it.
        ms: u64,
        /// Where it listens for that.
        #[arg(long, default_value_t = CONTROL_PORT)]
        control: u16,
    },
}

/// Serves until SIGTERM or SIGINT; `check` and `slow` return at once.
///
/// # Errors
/// When the port is taken, a peer's address makes no sense, or the asked part does not answer well.
pub fn serve(role: &Role) -> Result<(), DemoError> {
    match role {
        Role::Check { port } => ask(*port, "GET /healthz"),
        Role::Slow { ms, control } => ask(*control, &format!("POST /slow/{ms}")),
        Role::Front { apis, port } => block_on(front::run(apis, *port)),
        Role::Api { store, port, control } => block_on(api::run(store, *port, *control)),
        Role::Store { port } => block_on(store::run(*port)),
    }
}

fn block_on(work: impl Future<Output = Result<(), DemoError>>) -> Result<(), DemoError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// One line to the container's log.
pub fn say(line: &str) {
    // Nobody may read it: then it is lost, and the shop goes on.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Serves on all addresses until the process is asked to end, then lets requests under way finish.
pub async fn listen(role: &str, router: Router, port: u16) -> Result<(), DemoError> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    let (asked, mut ending) = watch::channel(false);
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    say(&format!("{role}: serving on port {port}"));
    let served = axum::serve(listener, router).with_graceful_shutdown(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        let _ = asked.send(true);
    });
    tokio::select! {
        ended = served => ended?,
        () = async { let _ = ending.wait_for(|on| *on).await; tokio::time::sleep(DRAIN).await } => {}
    }
    say(&format!("{role}: asked to end, ended"));
    Ok(())
}

/// One request to a part on loopback; an error unless it answers 2xx within a second. Plain sockets: a health
/// check is started anew every second or two, and should cost nothing.
fn ask(port: u16, request: &str) -> Result<(), DemoError> {
    let bound = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), bound)?;
    stream.set_read_timeout(Some(bound))?;
    stream.set_write_timeout(Some(bound))?;
    write!(stream, "{request} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let head = String::from_utf8_lossy(&head).into_owned();
    if head.starts_with("HTTP/1.1 2") { Ok(()) } else { Err(DemoError::Unhealthy(head)) }
}
