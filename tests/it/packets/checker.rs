//! A checker that knows nothing of the engine: sockets, and the clock.

use super::lab::Side;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread,
    time::{Duration, Instant},
};

const PORT: u16 = 7000;
/// A receiver that hears nothing for so long, after all was sent, has heard all.
const SILENCE: Duration = Duration::from_millis(400);

/// A stream of stamped datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// A second.
    pub rate: f64,
    pub count: u64,
    /// With its IPv4 header.
    pub size: usize,
}

/// A datagram that arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub number: u64,
    pub delay_ms: f64,
    pub at: Duration,
    pub payload: Vec<u8>,
}

fn bound(address: SocketAddr) -> UdpSocket {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None).expect("a socket");
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 32 << 20);
    socket.bind(&address.into()).expect("bound");
    socket.into()
}

/// Sends from one side to an address of the other; all that arrived.
pub fn stream(from: &Side, to: &Side, address: &str, stream: Stream) -> Vec<Arrival> {
    stream_while(from, to, address, stream, || {})
}

/// As [`stream`], and does something meanwhile.
pub fn stream_while(from: &Side, to: &Side, address: &str, stream: Stream, meanwhile: impl FnOnce()) -> Vec<Arrival> {
    let (origin, address) = (Instant::now(), SocketAddr::new(address.parse().expect("an address"), PORT));
    let (ready, is_ready) = channel();
    let sent = Arc::new(AtomicBool::new(false));
    let all_sent = sent.clone();
    let receiver = to.spawn(move || {
        let socket = bound(address);
        socket.set_read_timeout(Some(SILENCE)).expect("set");
        ready.send(()).expect("somebody waits");
        receive(&socket, origin, &all_sent)
    });
    is_ready.recv().expect("ready");
    let sender = from.spawn(move || send(address, stream, origin));
    meanwhile();
    sender.join().expect("sent");
    sent.store(true, Ordering::Relaxed);
    receiver.join().expect("received")
}

fn send(to: SocketAddr, stream: Stream, origin: Instant) {
    let socket = bound(SocketAddr::new(if to.is_ipv4() { "0.0.0.0" } else { "::" }.parse().expect("any"), 0));
    socket.connect(to).expect("connected");
    let mut payload = vec![b'x'; stream.size - 28];
    let start = Instant::now();
    for number in 0..stream.count {
        let due = start + Duration::from_secs_f64(number as f64 / stream.rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        payload[..8].copy_from_slice(&number.to_be_bytes());
        payload[8..16].copy_from_slice(&(origin.elapsed().as_nanos() as u64).to_be_bytes());
        // A refusal of an earlier one is reported here.
        let _ = socket.send(&payload);
    }
}

fn receive(socket: &UdpSocket, origin: Instant, all_sent: &AtomicBool) -> Vec<Arrival> {
    let (mut buffer, mut all) = ([0; 65_536], Vec::new());
    loop {
        let over = all_sent.load(Ordering::Relaxed);
        let Ok(length) = socket.recv(&mut buffer) else { if over { return all } else { continue } };
        let at = origin.elapsed();
        let word = |i: usize| u64::from_be_bytes(buffer[i..i + 8].try_into().expect("eight"));
        let delay_ms = (at.as_nanos() as f64 - word(8) as f64) / 1e6;
        all.push(Arrival { number: word(0), delay_ms, at, payload: buffer[..length].to_vec() });
    }
}

/// The delay below which this share of them was, in milliseconds.
pub fn percentile(arrivals: &[Arrival], share: f64) -> f64 {
    let mut delays: Vec<f64> = arrivals.iter().map(|arrival| arrival.delay_ms).collect();
    delays.sort_by(f64::total_cmp);
    delays[((delays.len() - 1) as f64 * share) as usize]
}

/// How many different ones arrived.
pub fn different(arrivals: &[Arrival]) -> u64 {
    arrivals.iter().map(|arrival| arrival.number).collect::<std::collections::BTreeSet<_>>().len() as u64
}

/// Bits a second, in IPv4 packets, between the first and the last arrival.
pub fn bits_per_second(arrivals: &[Arrival]) -> f64 {
    let span = arrivals[arrivals.len() - 1].at - arrivals[0].at;
    let bytes: usize = arrivals[1..].iter().map(|arrival| arrival.payload.len() + 28).sum();
    bytes as f64 * 8.0 / span.as_secs_f64()
}

/// Sends bytes over TCP as fast as it goes, for a while; bits a second at the receiver.
pub fn bulk(from: &Side, to: &Side, address: &str, time: Duration) -> f64 {
    let address = SocketAddr::new(address.parse().expect("an address"), PORT);
    let (ready, is_ready) = channel();
    let receiver = to.spawn(move || {
        let listener = TcpListener::bind(address).expect("listening");
        ready.send(()).expect("somebody waits");
        let (mut connection, _) = listener.accept().expect("connected");
        let (mut buffer, mut bytes, start) = (vec![0; 1 << 18], 0, Instant::now());
        while start.elapsed() < time {
            bytes += connection.read(&mut buffer).expect("read");
        }
        bytes as f64 * 8.0 / start.elapsed().as_secs_f64()
    });
    is_ready.recv().expect("ready");
    let sender = from.spawn(move || {
        let mut connection = TcpStream::connect(address).expect("connected");
        let block = vec![0; 1 << 16];
        while connection.write_all(&block).is_ok() {}
    });
    let measured = receiver.join().expect("received");
    sender.join().expect("sent");
    measured
}

/// Sends datagrams as fast as it goes, for a while: how many were sent, and how many arrived.
pub fn flood(from: &Side, to: &Side, address: &str, size: usize, time: Duration) -> (u64, u64) {
    let address = SocketAddr::new(address.parse().expect("an address"), PORT);
    let (ready, is_ready) = channel();
    let receiver = to.spawn(move || {
        let socket = bound(address);
        socket.set_read_timeout(Some(SILENCE)).expect("set");
        ready.send(()).expect("somebody waits");
        let (mut buffer, mut count) = ([0; 2048], 0);
        let start = Instant::now();
        while start.elapsed() < time + SILENCE && socket.recv(&mut buffer).is_ok() {
            count += 1;
        }
        count
    });
    is_ready.recv().expect("ready");
    let sender = from.spawn(move || {
        let socket = bound("0.0.0.0:0".parse().expect("any"));
        socket.connect(address).expect("connected");
        let (payload, start, mut count) = (vec![b'x'; size - 28], Instant::now(), 0);
        while start.elapsed() < time {
            count += u64::from(socket.send(&payload).is_ok());
        }
        count
    });
    (sender.join().expect("sent"), receiver.join().expect("received"))
}

/// How a TCP connection attempt ends, and how long that takes.
pub fn connect(from: &Side, address: &str, port: u16) -> (Option<ErrorKind>, Duration) {
    let address = SocketAddr::new(address.parse().expect("an address"), port);
    from.run(move || {
        let start = Instant::now();
        let outcome = TcpStream::connect_timeout(&address, Duration::from_millis(400));
        (outcome.err().map(|error| error.kind()), start.elapsed())
    })
}

/// Listens on these ports until the test ends.
pub fn listen(on: &Side, addresses: &[&str], ports: &[u16]) {
    for address in addresses {
        for port in ports {
            let address = SocketAddr::new(address.parse().expect("an address"), *port);
            let (ready, is_ready) = channel();
            on.spawn(move || {
                let listener = TcpListener::bind(address).expect("listening");
                ready.send(()).expect("somebody waits");
                for connection in listener.incoming() {
                    drop(connection);
                }
            });
            is_ready.recv().expect("ready");
        }
    }
}

/// How long an ICMP echo takes, of this sequence number.
pub fn echo(from: &Side, address: &str, number: u16) -> Duration {
    let address = SocketAddr::new(address.parse().expect("an address"), 0);
    from.run(move || {
        let (protocol, ask, answer, header) = match address {
            SocketAddr::V4(_) => (Protocol::ICMPV4, 8, 0, 20),
            SocketAddr::V6(_) => (Protocol::ICMPV6, 128, 129, 0),
        };
        let socket = Socket::new(Domain::for_address(address), Type::RAW, Some(protocol)).expect("a raw socket");
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("set");
        let [high, low] = number.to_be_bytes();
        let mut packet = [ask, 0, 0, 0, 0x0f, 0xd0, high, low];
        // The kernel does it for version 6.
        let sum = packet.chunks(2).map(|two| u32::from(u16::from_be_bytes([two[0], two[1]]))).sum::<u32>();
        packet[2..4].copy_from_slice(&(!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes());
        let start = Instant::now();
        socket.send_to(&packet, &address.into()).expect("sent");
        let mut buffer = [0; 2048];
        loop {
            let length = (&socket).read(&mut buffer).expect("an answer in time");
            let came = buffer.get(header..length).unwrap_or_default();
            if came.first() == Some(&answer) && came.get(4..8) == Some(&packet[4..8]) {
                return start.elapsed();
            }
        }
    })
}
