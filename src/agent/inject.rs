//! Packets of ours, whole with their IP headers, sent through marked raw sockets that our own rules let pass.

use super::packet;
use rustix::{io::Errno, net::sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::IpAddr,
    net::{SocketAddr, SocketAddrV4, SocketAddrV6},
};

/// Marks the copies that we send; it stays in this network namespace.
pub const MARK: u32 = 0x6664_726c;
/// Marks what we answer in the place of others.
pub const ANSWER_MARK: u32 = 0x6664_726d;

/// Links seen in the wild, widest first; a packet that does not fit is cut for the first that takes it.
const LINKS: [usize; 4] = [1500, 1400, 1280, 576];
/// `IPPROTO_RAW`: the header is ours.
const RAW: i32 = 255;
const BUFFER: usize = 16 << 20;

/// Sends packets from inside the target's namespace.
pub struct Injector {
    v4: Socket,
    /// Not there if the kernel has no IPv6.
    v6: Option<Socket>,
    last_cut: u32,
}

impl Injector {
    /// Opens the sockets; all they send bears this mark.
    ///
    /// # Errors
    /// Without NET_RAW: EPERM.
    pub fn open(mark: u32) -> io::Result<Injector> {
        Ok(Injector { v4: raw(Domain::IPV4, mark)?, v6: raw(Domain::IPV6, mark).ok(), last_cut: 0 })
    }

    /// Sends a packet to where its header says; `device` helps for link-local addresses.
    ///
    /// # Errors
    /// The kernel's; nothing is sent then.
    pub fn send(&mut self, bytes: &[u8], device: u32) -> io::Result<()> {
        let flow = packet::read(bytes).ok_or(io::ErrorKind::InvalidData)?;
        let to = match flow.destination {
            IpAddr::V4(v4) => SocketAddr::V4(SocketAddrV4::new(v4, 0)),
            IpAddr::V6(v6) => {
                SocketAddr::V6(SocketAddrV6::new(v6, 0, 0, if v6.is_unicast_link_local() { device } else { 0 }))
            }
        };
        match self.send_to(bytes, to) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => self.send_cut(bytes, to, error),
            done => done,
        }
    }

    fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        let socket = if to.is_ipv4() { Some(&self.v4) } else { self.v6.as_ref() };
        let socket = socket.ok_or(io::ErrorKind::Unsupported)?;
        socket.send_to(bytes, &to.into()).map(|_| ())
    }

    fn send_cut(&mut self, bytes: &[u8], to: SocketAddr, error: io::Error) -> io::Result<()> {
        self.last_cut = self.last_cut.wrapping_add(1);
        for link in LINKS {
            let Some(pieces) = packet::pieces(bytes, link, self.last_cut) else { return Err(error) };
            match self.send_to(&pieces[0], to) {
                Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => {}
                Err(error) => return Err(error),
                Ok(()) => return pieces[1..].iter().try_for_each(|piece| self.send_to(piece, to)),
            }
        }
        Err(error)
    }
}

fn raw(domain: Domain, mark: u32) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(RAW)))?;
    socket.set_mark(mark)?;
    socket.set_nonblocking(true)?;
    if domain == Domain::IPV4 {
        socket.set_broadcast(true)?;
    }
    // The forced size needs NET_ADMIN in the first user namespace; the default does for most.
    let _ = sockopt::set_socket_send_buffer_size_force(&socket, BUFFER);
    Ok(socket)
}
