//! Netlink as far as netfilter needs it: messages of nested attributes, batches, dumps.

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, sockopt},
};
use std::time::Duration;

/// Why the kernel did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetlinkError {
    /// The socket failed.
    #[error("netlink socket: {0}")]
    Socket(#[from] Errno),
    /// The kernel refused a message.
    #[error("the kernel refused {message}: {errno}")]
    Refused {
        /// What it was to do.
        message: &'static str,
        /// Why.
        errno: Errno,
    },
}

impl NetlinkError {
    /// The kernel's error number.
    pub fn errno(&self) -> Errno {
        match self {
            NetlinkError::Socket(errno) | NetlinkError::Refused { errno, .. } => *errno,
        }
    }
}

pub const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
pub const DUMP: u16 = 0x300;
pub const CREATE: u16 = 0x400;
pub const EXCLUSIVE: u16 = 0x200;
pub const APPEND: u16 = 0x800;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const HEADER: usize = 16;
const NESTED: u16 = 0x8000;

/// A batch of so many bytes can be sent.
const LARGEST: usize = 32 << 20;

/// How long the kernel may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The inside of a message, being written. Numbers go in network order.
pub struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    /// Bytes.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.0.extend((value.len() as u16 + 4).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        pad(self.0);
        self
    }

    /// A number of 16 bits.
    pub fn short(&mut self, kind: u16, value: u16) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// A number of 32 bits.
    pub fn word(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// A name, with its final zero.
    pub fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Attributes inside an attribute.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) -> &mut Self {
        let start = self.0.len();
        self.0.extend([0, 0]);
        self.0.extend((kind | NESTED).to_ne_bytes());
        fill(&mut Attributes(self.0));
        let length = (self.0.len() - start) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        pad(self.0);
        self
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Messages to be sent together.
#[derive(Default)]
pub struct Messages {
    bytes: Vec<u8>,
    /// Where each message starts, and what it is for.
    starts: Vec<(usize, &'static str)>,
}

/// The address of a message: which command, for which protocol family, about which resource.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Subsystem and command.
    pub kind: u16,
    /// `NFPROTO_*`.
    pub family: u8,
    /// A queue number, for some.
    pub resource: u16,
}

impl Messages {
    /// Adds a message.
    pub fn add(&mut self, what: &'static str, to: Command, flags: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        let start = self.bytes.len();
        self.starts.push((start, what));
        self.bytes.extend([0; 4]);
        self.bytes.extend(to.kind.to_ne_bytes());
        self.bytes.extend((flags | REQUEST).to_ne_bytes());
        self.bytes.extend([0; 8]);
        self.bytes.extend([to.family, 0]);
        self.bytes.extend(to.resource.to_be_bytes());
        fill(&mut Attributes(&mut self.bytes));
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    fn add_flags(&mut self, index: usize, flags: u16) {
        let at = self.starts[index].0 + 6;
        let now = u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]]) | flags;
        self.bytes[at..at + 2].copy_from_slice(&now.to_ne_bytes());
    }

    fn number(&mut self, first: u32) {
        for (i, (start, _)) in self.starts.iter().enumerate() {
            self.bytes[start + 8..start + 12].copy_from_slice(&(first + i as u32).to_ne_bytes());
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Empties it, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
    }

    /// How many messages.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// As they are sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A message from the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Subsystem and command.
    pub kind: u16,
    /// That of the request.
    pub sequence: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

/// The messages in what the kernel sent.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let whole = bytes.get(..length).filter(|whole| whole.len() >= HEADER)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Received {
            kind: u16::from_ne_bytes([whole[4], whole[5]]),
            sequence: u32::from_ne_bytes([whole[8], whole[9], whole[10], whole[11]]),
            body: &whole[HEADER..],
        })
    })
}

/// The attributes in a stretch of bytes, flags taken off their kinds.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & 0x3fff;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// One attribute of this kind.
pub fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// A name without its final zero.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default().trim_end_matches('\0')
}

/// A socket to netfilter.
pub struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Socket {
    /// Opens one in the network namespace of this thread.
    ///
    /// # Errors
    /// The kernel's, if it has no netfilter.
    pub fn open() -> Result<Socket, NetlinkError> {
        let fd = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::NETFILTER),
        )?;
        sockopt::set_socket_timeout(&fd, sockopt::Timeout::Recv, Some(PATIENCE))?;
        // All rules of all faults go in one message. Who may not have so much room is told when it does not fit.
        let _ = sockopt::set_socket_send_buffer_size_force(&fd, LARGEST);
        Ok(Socket { fd, sequence: 1 })
    }

    /// Sends bytes that were made elsewhere.
    ///
    /// # Errors
    /// The socket's.
    pub fn send(&self, bytes: &[u8]) -> Result<(), NetlinkError> {
        rustix::net::send(&self.fd, bytes, SendFlags::empty())?;
        Ok(())
    }

    /// Sends messages one by one in effect, and waits until the last is done.
    ///
    /// # Errors
    /// The first refusal.
    pub fn ask(&mut self, mut messages: Messages) -> Result<(), NetlinkError> {
        let last = messages.starts.len() - 1;
        messages.add_flags(last, ACK);
        self.deliver(messages, last)
    }

    /// Sends messages that take effect together or not at all.
    ///
    /// # Errors
    /// The first refusal; then nothing has changed.
    pub fn batch(&mut self, subsystem: u8, fill: impl FnOnce(&mut Messages)) -> Result<(), NetlinkError> {
        let frame = |kind| Command { kind, family: 0, resource: u16::from(subsystem) };
        let mut messages = Messages::default();
        messages.add("the batch", frame(BATCH_BEGIN), 0, |_| {});
        fill(&mut messages);
        let last = messages.starts.len() - 1;
        messages.add_flags(last, ACK);
        messages.add("the end of the batch", frame(BATCH_END), 0, |_| {});
        self.deliver(messages, last)
    }

    fn deliver(&mut self, mut messages: Messages, last: usize) -> Result<(), NetlinkError> {
        let first = self.sequence;
        messages.number(first);
        self.sequence += messages.starts.len() as u32;
        self.send(&messages.bytes)?;
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let bytes = self.receive(&mut buffer)?;
            for answer in self::messages(bytes).filter(|answer| answer.kind == ERROR && answer.sequence >= first) {
                let index = (answer.sequence - first) as usize;
                match errno(answer.body) {
                    Some(errno) => {
                        let message = messages.starts.get(index).map_or("a message", |(_, what)| *what);
                        return Err(NetlinkError::Refused { message, errno });
                    }
                    None if index == last => return Ok(()),
                    None => {}
                }
            }
        }
    }

    /// Asks for a list; the bodies of its entries.
    ///
    /// # Errors
    /// The kernel's.
    pub fn dump(
        &mut self,
        to: Command,
        entry: u16,
        fill: impl FnOnce(&mut Attributes<'_>),
    ) -> Result<Vec<Vec<u8>>, NetlinkError> {
        let mut messages = Messages::default();
        messages.add("a list", to, DUMP, fill);
        let sequence = self.sequence;
        messages.number(sequence);
        self.sequence += 1;
        self.send(&messages.bytes)?;
        let (mut buffer, mut entries) = (vec![0; 64 * 1024], Vec::new());
        loop {
            let bytes = self.receive(&mut buffer)?;
            for answer in self::messages(bytes).filter(|answer| answer.sequence == sequence) {
                match answer.kind {
                    DONE => return Ok(entries),
                    ERROR => {
                        let errno = errno(answer.body).unwrap_or(Errno::IO);
                        return Err(NetlinkError::Refused { message: "a list", errno });
                    }
                    kind if kind == entry => entries.push(answer.body.get(4..).unwrap_or_default().to_vec()),
                    _ => {}
                }
            }
        }
    }

    fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], NetlinkError> {
        let (length, _) = rustix::io::retry_on_intr(|| rustix::net::recv(&self.fd, &mut *buffer, RecvFlags::empty()))?;
        Ok(&buffer[..length])
    }
}

fn errno(body: &[u8]) -> Option<Errno> {
    let code = i32::from_ne_bytes(body.get(..4)?.try_into().ok()?);
    if code == 0 { None } else { Some(Errno::from_raw_os_error(-code)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut sent = Messages::default();
        let to = Command { kind: 0x0a06, family: 1, resource: 7 };
        sent.add("a test", to, CREATE, |a| {
            a.text(1, "name").nest(2, |inner| {
                inner.word(3, 0x0102_0304).short(4, 5);
            });
        });
        sent.number(9);
        let got: Vec<Received<'_>> = messages(&sent.bytes).collect();
        assert_eq!((got.len(), got[0].kind, got[0].sequence), (1, 0x0a06, 9));
        assert_eq!(&got[0].body[..4], &[1, 0, 0, 7]);
        let found: Vec<(u16, &[u8])> = attributes(&got[0].body[4..]).collect();
        assert_eq!(text(found[0].1), "name");
        assert_eq!(attribute(found[1].1, 3), Some(&[1, 2, 3, 4][..]));
        assert_eq!(attribute(found[1].1, 4), Some(&[0, 5][..]));
    }

    #[test]
    fn nonsense_from_outside_ends_the_reading() {
        for bytes in [&[][..], &[0; 3], &[0; 16], &[255; 40], &[20, 0, 0, 0, 1]] {
            assert_eq!(messages(bytes).count(), 0);
        }
        assert_eq!(attributes(&[2, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[200, 0, 1, 0]).count(), 0);
    }
}
