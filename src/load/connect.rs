//! From an address as written to a connection that stands.

use super::tls;
use crate::measure::Class;
use hickory_resolver::TokioResolver;
use std::{
    cell::{Cell, RefCell},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Mutex,
    time::Instant,
};
use tokio_rustls::client::TlsStream;

/// How long looked-up addresses serve new connections.
const ADDRESSES_SERVE: Duration = Duration::from_secs(10);
/// And how long at least, however often connecting fails.
const ADDRESSES_SERVE_AT_LEAST: Duration = Duration::from_millis(250);

/// Why no connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The other side's doing, or the network's.
    Theirs(Class),
    /// This host ran out of descriptors or ports: nothing could be sent, and nobody is to blame but us.
    Ours,
}

/// How an error of the system counts.
pub(crate) fn classify(error: &io::Error) -> Failure {
    use io::ErrorKind::{AddrNotAvailable, BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    const TOO_MANY_FILES: [i32; 2] = [23, 24];
    match error.kind() {
        AddrNotAvailable => Failure::Ours,
        _ if error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code)) => Failure::Ours,
        ConnectionReset | ConnectionAborted | BrokenPipe => Failure::Theirs(Class::Reset),
        UnexpectedEof => Failure::Theirs(Class::Closed),
        TimedOut => Failure::Theirs(Class::Timeout),
        _ => Failure::Theirs(Class::Refused),
    }
}

/// The peer of one probe.
pub(crate) struct Peer {
    host: Host,
    port: u16,
    tls: Option<tls::Client>,
}

impl Peer {
    /// `host` is a name or an address, without brackets.
    pub fn new(host: &str, port: u16, tls: Option<tls::Client>) -> Peer {
        Peer { host: Host::new(host), port, tls }
    }

    /// A new connection, ready to talk on. The first address that takes it is used first from then on.
    pub async fn connect(&self) -> Result<Stream, Failure> {
        let mut failure = Failure::Theirs(Class::Refused);
        for address in self.host.addresses().await.ok_or(failure)? {
            match TcpStream::connect(SocketAddr::new(address, self.port)).await {
                Ok(socket) => {
                    self.host.prefer(address);
                    return self.secure(socket).await;
                }
                Err(e) => failure = classify(&e),
            }
        }
        self.host.doubt();
        Err(failure)
    }

    async fn secure(&self, socket: TcpStream) -> Result<Stream, Failure> {
        // Small requests must not wait for the answers to earlier ones.
        let _ = socket.set_nodelay(true);
        let socket = Socket(Rc::new(RefCell::new(socket)));
        let Some(tls) = &self.tls else { return Ok(Stream::Plain(socket)) };
        let handshake = tls.connect(socket.clone()).await;
        let secured = handshake.map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => Failure::Theirs(Class::Refused),
            _ => classify(&e),
        })?;
        Ok(Stream::Tls(Box::new(secured), socket))
    }
}

/// A host with the addresses that its name led to.
enum Host {
    Address(IpAddr),
    /// By definition this host (RFC 6761), whatever a name server says.
    Local(Cell<[IpAddr; 2]>),
    Name(Box<Name>),
}

/// A name and what it led to.
struct Name {
    name: String,
    /// Locked during a look-up, so that there is one at a time.
    resolver: Mutex<Option<TokioResolver>>,
    found: RefCell<Found>,
}

#[derive(Default)]
struct Found {
    addresses: Vec<IpAddr>,
    looked: Option<Instant>,
    doubted: bool,
}

impl Found {
    fn serves(&self) -> bool {
        let age = self.looked.map_or(Duration::MAX, |at| at.elapsed());
        let doubted = self.doubted || self.addresses.is_empty();
        age < if doubted { ADDRESSES_SERVE_AT_LEAST } else { ADDRESSES_SERVE }
    }
}

impl Host {
    fn new(host: &str) -> Host {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        if let Ok(address) = host.parse() {
            Host::Address(address)
        } else if name == "localhost" || name.ends_with(".localhost") {
            Host::Local(Cell::new([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]))
        } else {
            Host::Name(Box::new(Name { name: host.into(), resolver: Mutex::new(None), found: RefCell::default() }))
        }
    }

    /// `None` if the name leads nowhere.
    async fn addresses(&self) -> Option<Vec<IpAddr>> {
        match self {
            Host::Address(address) => Some(vec![*address]),
            Host::Local(both) => Some(both.get().to_vec()),
            Host::Name(name) => {
                name.refresh().await;
                let addresses = name.found.borrow().addresses.clone();
                (!addresses.is_empty()).then_some(addresses)
            }
        }
    }

    /// This one works: try it first next time.
    fn prefer(&self, address: IpAddr) {
        match self {
            Host::Address(_) => {}
            Host::Local(both) => {
                let [first, second] = both.get();
                both.set(if first == address { [first, second] } else { [second, first] });
            }
            Host::Name(name) => {
                let mut found = name.found.borrow_mut();
                found.doubted = false;
                if let Some(at) = found.addresses.iter().position(|known| *known == address) {
                    found.addresses.swap(0, at);
                }
            }
        }
    }

    /// None works: ask again soon.
    fn doubt(&self) {
        if let Host::Name(name) = self {
            name.found.borrow_mut().doubted = true;
        }
    }
}

impl Name {
    /// Looks the name up, unless what is known still serves. Whoever waited for a look-up uses what it
    /// found; old addresses outlive a failed one.
    async fn refresh(&self) {
        if self.found.borrow().serves() {
            return;
        }
        let mut resolver = self.resolver.lock().await;
        if self.found.borrow().serves() {
            return;
        }
        if resolver.is_none() {
            *resolver = build_resolver();
        }
        let Some(resolver) = resolver.as_ref() else { return };
        let answer = resolver.lookup_ip(self.name.as_str()).await;
        let mut found = self.found.borrow_mut();
        found.looked = Some(Instant::now());
        found.doubted = false;
        match answer {
            Ok(addresses) => found.addresses = addresses.iter().collect(),
            Err(e) => tracing::debug!(name = self.name, error = %e, "name not found"),
        }
    }
}

/// `None` if this host has no configuration for look-ups.
pub(crate) fn build_resolver() -> Option<TokioResolver> {
    let mut builder = TokioResolver::builder_tokio().ok()?;
    // We keep addresses ourselves, and for a shorter time than name servers tell us to.
    builder.options_mut().cache_size = 0;
    builder.build().ok()
}

/// A connection, with or without TLS.
pub(crate) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>, Socket),
}

impl Stream {
    /// The socket below, to look at while the stream is in use.
    pub fn socket(&self) -> Socket {
        match self {
            Stream::Plain(socket) | Stream::Tls(_, socket) => socket.clone(),
        }
    }

    /// Whether bytes may come that nobody asked for (TLS session tickets).
    pub fn may_speak_first(&self) -> bool {
        matches!(self, Stream::Tls(..))
    }
}

/// A socket that its connection and whoever looks after it share; all on one thread.
#[derive(Clone)]
pub(crate) struct Socket(Rc<RefCell<TcpStream>>);

/// What an idle socket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    /// Nothing: it can be used.
    Quiet,
    /// Bytes.
    Bytes,
    /// The other side has closed it.
    Closed,
}

impl Socket {
    /// Looks without taking: one system call, so that a close that arrived is seen before a request is sent.
    pub fn look(&self) -> Idle {
        use rustix::net::{RecvFlags, recv};
        let mut byte = [0u8];
        match recv(&*self.0.borrow(), &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((0, _)) => Idle::Closed,
            Ok(_) => Idle::Bytes,
            Err(e) if e == rustix::io::Errno::AGAIN || e == rustix::io::Errno::INTR => Idle::Quiet,
            Err(_) => Idle::Closed,
        }
    }
}

macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => $call,
            Stream::Tls($stream, _) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_read(cx, into))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }
}
