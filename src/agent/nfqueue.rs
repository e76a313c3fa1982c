//! NFQUEUE: packets that rules hand over, and what we say about each.
//!
//! The queue fails open (what does not fit passes), and its rules bypass it (if we are gone, packets pass).

use super::netlink::{Command, Messages, NetlinkError, Socket, attribute, messages};
use rustix::{
    fd::{AsFd, BorrowedFd},
    io::Errno,
    net::{RecvFlags, sockopt},
};

const SUBSYSTEM: u16 = 3;
const PACKET: u16 = 0;
const VERDICT: u16 = 1;
const CONFIG: u16 = 2;

const FAIL_OPEN: u32 = 1;
const GSO: u32 = 4;
const COPY_PACKET: u8 = 2;

/// How much the socket may buffer, in bytes.
const BUFFER: usize = 32 << 20;
/// How many packets the kernel keeps for us before it lets more pass unshaped.
pub const MAXLEN: u32 = 65_536;
/// Verdicts that are sent together.
const TOGETHER: usize = 64;

/// How much of each packet is copied to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// Enough for the headers.
    Headers,
    /// All of it.
    Whole,
}

impl Copied {
    fn range(self) -> u32 {
        match self {
            Copied::Headers => 192,
            Copied::Whole => 0xffff,
        }
    }
}

/// A packet that waits for a verdict.
#[derive(Debug, Clone, Copy)]
pub struct Queued<'a> {
    /// Its number in this queue.
    pub id: u32,
    /// The interface it came by, or is to leave by.
    pub device: u32,
    /// From the IP header on.
    pub bytes: &'a [u8],
}

impl Queued<'_> {
    /// Whether it goes over loopback, which is the first interface of every namespace.
    pub fn over_loopback(&self) -> bool {
        self.device == 1
    }
}

/// What we say about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// It goes on.
    Accept,
    /// It ends here.
    Drop,
}

/// One queue, ours alone.
pub struct Queue {
    socket: Socket,
    number: u16,
    said: Messages,
    accepts: bool,
    /// How often the socket's buffer overflowed.
    pub overruns: u64,
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Queue {
    /// Takes the first number from `first` on that nobody in this namespace listens to.
    ///
    /// # Errors
    /// The kernel's; without NFQUEUE or without NET_ADMIN there is none.
    pub fn bind(first: u16, copied: Copied, gso: bool) -> Result<Queue, NetlinkError> {
        let mut socket = Socket::open()?;
        // The forced size needs NET_ADMIN in the first user namespace; what is allowed must do elsewhere.
        if sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).is_err() {
            sockopt::set_socket_recv_buffer_size(&socket, BUFFER)?;
        }
        let mut refused = NetlinkError::Refused { message: "the queue", errno: Errno::BUSY };
        for number in first..=first.saturating_add(64) {
            let mut messages = Messages::default();
            messages.add("the queue", config(number), 0, |a| _ = a.bytes(1, &[1, 0, 0, 0]));
            match socket.ask(messages) {
                Ok(()) => return Queue::configured(socket, number, copied, gso),
                // PERM says that another socket has this number, or that we may have none.
                Err(error) if matches!(error.errno(), Errno::BUSY | Errno::PERM) => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    fn configured(mut socket: Socket, number: u16, copied: Copied, gso: bool) -> Result<Queue, NetlinkError> {
        let mut messages = Messages::default();
        messages.add("the settings of the queue", config(number), 0, |a| {
            a.bytes(2, &parameters(copied)).word(3, MAXLEN);
            a.word(4, FAIL_OPEN | GSO).word(5, FAIL_OPEN | if gso { GSO } else { 0 });
        });
        socket.ask(messages)?;
        Ok(Queue { socket, number, said: Messages::default(), accepts: false, overruns: 0 })
    }

    /// Its number, for rules.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Changes how much is copied of packets to come.
    ///
    /// # Errors
    /// The socket's.
    pub fn copy(&self, copied: Copied) -> Result<(), NetlinkError> {
        let mut messages = Messages::default();
        messages.add("the settings of the queue", config(self.number), 0, |a| _ = a.bytes(2, &parameters(copied)));
        self.socket.send(messages.as_bytes())
    }

    /// The next packet, if one waits.
    ///
    /// # Errors
    /// The socket's; an overrun is counted and is none.
    pub fn next<'a>(&mut self, buffer: &'a mut [u8]) -> Result<Option<Queued<'a>>, NetlinkError> {
        let length = loop {
            match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) if is_packet(&buffer[..length]) => break length,
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::NOBUFS) => self.overruns += 1,
                Err(error) => return Err(error.into()),
            }
        };
        Ok(queued(&buffer[..length]))
    }

    /// Says what happens to a packet; sent with others, at the latest by [`Queue::flush`].
    ///
    /// # Errors
    /// The socket's.
    pub fn say(&mut self, id: u32, say: Say, rewritten: Option<&[u8]>) -> Result<(), NetlinkError> {
        let verdict = if say == Say::Accept { 1_u32 } else { 0 };
        self.accepts |= say == Say::Accept;
        let header = [verdict.to_be_bytes(), id.to_be_bytes()].concat();
        let to = Command { kind: SUBSYSTEM << 8 | VERDICT, family: 0, resource: self.number };
        self.said.add("a verdict", to, 0, |a| {
            a.bytes(2, &header);
            if let Some(bytes) = rewritten {
                a.bytes(10, bytes);
            }
        });
        if self.said.len() >= TOGETHER || rewritten.is_some() { self.flush() } else { Ok(()) }
    }

    /// Sends what was said, if packets wait for it that must stay ahead of one that is sent another way.
    ///
    /// # Errors
    /// The socket's.
    pub fn flush_accepts(&mut self) -> Result<(), NetlinkError> {
        if self.accepts { self.flush() } else { Ok(()) }
    }

    /// Sends what was said.
    ///
    /// # Errors
    /// The socket's.
    pub fn flush(&mut self) -> Result<(), NetlinkError> {
        if !self.said.is_empty() {
            self.socket.send(self.said.as_bytes())?;
            self.said.clear();
            self.accepts = false;
        }
        Ok(())
    }
}

fn config(number: u16) -> Command {
    Command { kind: SUBSYSTEM << 8 | CONFIG, family: 0, resource: number }
}

fn parameters(copied: Copied) -> [u8; 5] {
    let range = copied.range().to_be_bytes();
    [range[0], range[1], range[2], range[3], COPY_PACKET]
}

fn is_packet(bytes: &[u8]) -> bool {
    messages(bytes).next().is_some_and(|message| message.kind == SUBSYSTEM << 8 | PACKET)
}

fn queued(bytes: &[u8]) -> Option<Queued<'_>> {
    let body = messages(bytes).next()?.body.get(4..)?;
    let word = |value: &[u8]| Some(u32::from_be_bytes(value.get(..4)?.try_into().ok()?));
    Some(Queued {
        id: word(attribute(body, 1)?)?,
        device: attribute(body, 6).or_else(|| attribute(body, 5)).and_then(word).unwrap_or(0),
        bytes: attribute(body, 10).unwrap_or_default(),
    })
}
