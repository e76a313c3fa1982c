//! IP packets as bytes: who talks to whom, damage, and pieces that fit a link.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The number of TCP.
pub const TCP: u8 = 6;
/// The number of UDP.
pub const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMP6: u8 = 58;
const FRAGMENT6: u8 = 44;

/// What the headers of a packet say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// From.
    pub source: IpAddr,
    /// To.
    pub destination: IpAddr,
    /// TCP is 6, UDP 17, ICMP 1, ICMPv6 58.
    pub protocol: u8,
    /// Source and destination port, of TCP and UDP, in the first fragment.
    pub ports: Option<(u16, u16)>,
    /// Where the transport header starts.
    pub transport: usize,
    /// Of the whole packet, in bytes, as its header says.
    pub length: usize,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Reads the headers; `None` if this is no whole IP header.
pub fn read(bytes: &[u8]) -> Option<Flow> {
    match bytes.first()? >> 4 {
        4 => read_v4(bytes),
        6 => read_v6(bytes),
        _ => None,
    }
}

fn read_v4(bytes: &[u8]) -> Option<Flow> {
    let transport = usize::from(bytes[0] & 0x0f) * 4;
    let address = |at: usize| Some(IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?)));
    let later_fragment = u16_at(bytes, 6)? & 0x1fff != 0;
    let protocol = *bytes.get(9)?;
    Some(Flow {
        source: address(12)?,
        destination: address(16)?,
        protocol,
        ports: if later_fragment { None } else { ports(bytes, protocol, transport) },
        transport,
        length: usize::from(u16_at(bytes, 2)?),
    })
}

fn read_v6(bytes: &[u8]) -> Option<Flow> {
    let address = |at: usize| Some(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?)));
    let (mut protocol, mut at, mut later_fragment) = (*bytes.get(6)?, 40, false);
    while matches!(protocol, 0 | 43 | FRAGMENT6 | 51 | 60) {
        let (Some(next), Some(size)) = (bytes.get(at), bytes.get(at + 1)) else { break };
        let length = match protocol {
            FRAGMENT6 => {
                later_fragment |= u16_at(bytes, at + 2)? & 0xfff8 != 0;
                8
            }
            51 => (usize::from(*size) + 2) * 4,
            _ => (usize::from(*size) + 1) * 8,
        };
        protocol = *next;
        at += length;
    }
    Some(Flow {
        source: address(8)?,
        destination: address(24)?,
        protocol,
        ports: if later_fragment { None } else { ports(bytes, protocol, at) },
        transport: at,
        length: 40 + usize::from(u16_at(bytes, 4)?),
    })
}

fn ports(bytes: &[u8], protocol: u8, at: usize) -> Option<(u16, u16)> {
    if protocol == TCP || protocol == UDP { Some((u16_at(bytes, at)?, u16_at(bytes, at + 2)?)) } else { None }
}

/// Where that starts which TCP or UDP carry.
pub fn payload_at(bytes: &[u8], flow: &Flow) -> Option<usize> {
    match flow.protocol {
        UDP => Some(flow.transport + 8),
        TCP => Some(flow.transport + usize::from(bytes.get(flow.transport + 12)? >> 4) * 4),
        _ => None,
    }
}

/// A UDP packet the other way, from where this one went to where it came from. `None` without ports, or if too long.
pub fn datagram_back(to: &Flow, payload: &[u8]) -> Option<Vec<u8>> {
    use super::traffic::bytes;
    let ((port, there), length) = (to.ports?, u16::try_from(8 + payload.len()).ok()?);
    let addresses = [bytes(to.destination), bytes(to.source)].concat();
    let mut packet = if to.destination.is_ipv4() {
        let mut head = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, UDP, 0, 0];
        head[2..4].copy_from_slice(&length.checked_add(20)?.to_be_bytes());
        head.extend(addresses);
        let checksum = !fold(sum_of(&head));
        head[10..12].copy_from_slice(&checksum.to_be_bytes());
        head
    } else {
        let [high, low] = length.to_be_bytes();
        [&[0x60, 0, 0, 0, high, low, UDP, 64][..], &addresses].concat()
    };
    for field in [there, port, length, 0] {
        packet.extend(field.to_be_bytes());
    }
    packet.extend(payload);
    let flow = read(&packet)?;
    complete(&mut packet, &flow);
    Some(packet)
}

/// Flips one bit behind the IP header, after the checksum was complete: the receiver drops the packet.
///
/// A UDP packet without a checksum gets one first. False if there is nothing to damage, or nothing that would tell.
pub fn damage(bytes: &mut [u8], rng: &mut ChaCha8Rng) -> bool {
    let Some(flow) = read(bytes) else { return false };
    if flow.transport >= bytes.len() || checksum_at(&flow).is_none() {
        return false;
    }
    if flow.protocol == UDP && u16_at(bytes, flow.transport + 6) == Some(0) {
        complete(bytes, &flow);
    }
    flip(bytes, flow.transport, rng);
    // 0 would say that there is no checksum.
    if flow.protocol == UDP && u16_at(bytes, flow.transport + 6) == Some(0) {
        bytes[flow.transport + 6] = 0xff;
    }
    true
}

/// Flips one bit of what the application gets, and makes the checksum fit. False if nothing is carried.
pub fn damage_unseen(bytes: &mut [u8], rng: &mut ChaCha8Rng) -> bool {
    let Some(flow) = read(bytes) else { return false };
    let header = match flow.protocol {
        TCP => bytes.get(flow.transport + 12).map_or(20, |offset| usize::from(offset >> 4) * 4),
        UDP | ICMP | ICMP6 => 8,
        _ => return false,
    };
    let payload = flow.transport + header;
    if payload >= bytes.len() {
        return false;
    }
    flip(bytes, payload, rng);
    if flow.protocol != UDP || u16_at(bytes, flow.transport + 6) != Some(0) {
        complete(bytes, &flow);
    }
    true
}

fn flip(bytes: &mut [u8], from: usize, rng: &mut ChaCha8Rng) {
    let at = rng.random_range(from..bytes.len());
    bytes[at] ^= 1 << rng.random_range(0..8);
}

fn checksum_at(flow: &Flow) -> Option<usize> {
    match flow.protocol {
        TCP => Some(flow.transport + 16),
        UDP => Some(flow.transport + 6),
        ICMP | ICMP6 => Some(flow.transport + 2),
        _ => None,
    }
}

/// Writes the checksum that fits.
pub fn complete(bytes: &mut [u8], flow: &Flow) {
    let Some(at) = checksum_at(flow).filter(|at| at + 2 <= bytes.len()) else { return };
    bytes[at..at + 2].fill(0);
    let mut sum = sum_of(&bytes[flow.transport..]);
    if flow.protocol != ICMP {
        sum += pseudo_header(flow, bytes.len() - flow.transport);
    }
    let checksum = match (!fold(sum), flow.protocol) {
        (0, UDP) => 0xffff,
        (checksum, _) => checksum,
    };
    bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
}

fn pseudo_header(flow: &Flow, length: usize) -> u64 {
    use super::traffic::bytes;
    sum_of(&bytes(flow.source)) + sum_of(&bytes(flow.destination)) + u64::from(flow.protocol) + length as u64
}

fn sum_of(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
    bytes.chunks(2).map(word).sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Cuts a packet into pieces for a link that carries `mtu` bytes; `None` if it must not be cut.
///
/// The kernel would have done so after our hook; a raw socket does not do it for whole packets.
pub fn pieces(bytes: &[u8], mtu: usize, id: u32) -> Option<Vec<Vec<u8>>> {
    match bytes.first()? >> 4 {
        4 => pieces_v4(bytes, mtu),
        _ => pieces_v6(bytes, mtu, id),
    }
}

fn pieces_v4(bytes: &[u8], mtu: usize) -> Option<Vec<Vec<u8>>> {
    let header = usize::from(bytes[0] & 0x0f) * 4;
    let field = u16_at(bytes, 6)?;
    if field & 0x4000 != 0 || bytes.len() <= header {
        return None;
    }
    let room = (mtu.checked_sub(header)?) / 8 * 8;
    let (first, last_more) = (usize::from(field & 0x1fff), field & 0x2000);
    Some(cut(
        &bytes[header..],
        room,
        |offset, more| {
            let mut head = bytes[..header].to_vec();
            let flags = if more { 0x2000 } else { last_more };
            head[6..8].copy_from_slice(&(flags | (first + offset / 8) as u16).to_be_bytes());
            head
        },
        |head, length| {
            head[2..4].copy_from_slice(&((header + length) as u16).to_be_bytes());
            head[10..12].fill(0);
            let checksum = !fold(sum_of(head));
            head[10..12].copy_from_slice(&checksum.to_be_bytes());
        },
    ))
}

fn pieces_v6(bytes: &[u8], mtu: usize, id: u32) -> Option<Vec<Vec<u8>>> {
    let next = *bytes.get(6)?;
    // Packets that already have headers of this kind are left whole.
    if matches!(next, 0 | 43 | FRAGMENT6 | 60) {
        return None;
    }
    let room = (mtu.checked_sub(48)?) / 8 * 8;
    Some(cut(
        &bytes[40..],
        room,
        |offset, more| {
            let mut head = bytes[..40].to_vec();
            head[6] = FRAGMENT6;
            head.extend([next, 0]);
            head.extend(((offset as u16) | u16::from(more)).to_be_bytes());
            head.extend(id.to_be_bytes());
            head
        },
        |head, length| {
            head[4..6].copy_from_slice(&((8 + length) as u16).to_be_bytes());
        },
    ))
}

fn cut(
    payload: &[u8],
    room: usize,
    head: impl Fn(usize, bool) -> Vec<u8>,
    finish: impl Fn(&mut Vec<u8>, usize),
) -> Vec<Vec<u8>> {
    let count = payload.len().div_ceil(room.max(8));
    let piece = |(i, part): (usize, &[u8])| {
        let mut piece = head(i * room.max(8), i + 1 < count);
        finish(&mut piece, part.len());
        piece.extend(part);
        piece
    };
    payload.chunks(room.max(8)).enumerate().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn udp4(payload: &[u8]) -> Vec<u8> {
        let length = (28 + payload.len()) as u16;
        let mut bytes = vec![0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes.extend([0x9c, 0x40, 0, 53]);
        bytes.extend((length - 20).to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(payload);
        bytes
    }

    fn udp6(payload: &[u8]) -> Vec<u8> {
        let there = read(&tcp6(b"")).unwrap();
        let back = Flow { source: there.destination, destination: there.source, ports: Some((53, 40000)), ..there };
        datagram_back(&back, payload).unwrap()
    }

    fn tcp6(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 0, TCP, 64];
        bytes[4..6].copy_from_slice(&((20 + payload.len()) as u16).to_be_bytes());
        bytes.extend("fd00::1".parse::<Ipv6Addr>().unwrap().octets());
        bytes.extend("fd00::2".parse::<Ipv6Addr>().unwrap().octets());
        bytes.extend([0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 1, 0, 0, 0, 0, 0]);
        bytes.extend(payload);
        bytes
    }

    fn fits(bytes: &[u8]) -> bool {
        let flow = read(bytes).unwrap();
        fold(sum_of(&bytes[flow.transport..]) + pseudo_header(&flow, bytes.len() - flow.transport)) == 0xffff
    }

    #[test]
    fn headers_are_read() {
        let flow = read(&udp4(b"hello")).unwrap();
        assert_eq!((flow.source, flow.ports), ("10.0.0.1".parse().unwrap(), Some((40000, 53))));
        assert_eq!((flow.protocol, flow.transport, flow.length), (UDP, 20, 33));
        let flow = read(&tcp6(b"hello")).unwrap();
        assert_eq!((flow.destination, flow.ports), ("fd00::2".parse().unwrap(), Some((40000, 80))));
        assert_eq!((flow.transport, flow.length), (40, 65));
        assert_eq!(read(&[0x45, 0, 0]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn a_datagram_goes_back_to_where_one_came_from() {
        for (there, size) in [(udp4(b"there"), 28), (udp6(b"there"), 48)] {
            let flow = read(&there).unwrap();
            assert_eq!(&there[payload_at(&there, &flow).unwrap()..], b"there");
            let back = datagram_back(&flow, b"and back").unwrap();
            let read = read(&back).unwrap();
            assert_eq!((read.source, read.destination), (flow.destination, flow.source));
            assert_eq!((read.ports, read.length), (Some((53, 40000)), back.len()));
            assert_eq!((&back[size..], fits(&back)), (&b"and back"[..], true));
        }
        assert_eq!(datagram_back(&read(&udp4(b"")).unwrap(), &[0; 65_528]), None);
    }

    #[test]
    fn a_later_fragment_has_no_ports() {
        let mut bytes = udp4(b"12345678");
        bytes[7] = 1;
        assert_eq!(read(&bytes).unwrap().ports, None);
    }

    #[test]
    fn damage_is_always_told_by_the_checksum() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for whole in [udp4(b"payload"), tcp6(b"payload"), udp4(b"")] {
            for _ in 0..500 {
                let mut bytes = whole.clone();
                complete(&mut bytes, &read(&whole).unwrap());
                assert!(fits(&bytes));
                assert!(damage(&mut bytes, &mut rng));
                assert!(!fits(&bytes));
            }
        }
        let mut without = udp4(b"no checksum at all");
        assert!(damage(&mut without, &mut rng) && without[26..28] != [0, 0] && !fits(&without));
    }

    #[test]
    fn unseen_damage_fits_and_reaches_the_payload_only() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for whole in [udp4(b"payload"), tcp6(b"payload")] {
            let mut bytes = whole.clone();
            complete(&mut bytes, &read(&whole).unwrap());
            let before = bytes.clone();
            assert!(damage_unseen(&mut bytes, &mut rng));
            assert!(fits(&bytes));
            assert_ne!(bytes[bytes.len() - 7..], before[before.len() - 7..]);
        }
        assert!(!damage_unseen(&mut tcp6(b""), &mut rng), "nothing is carried");
    }

    #[test]
    fn pieces_carry_the_whole_and_fit() {
        let payload: Vec<u8> = (0..4000_u32).map(|i| i as u8).collect();
        let whole = udp4(&payload);
        let pieces = pieces(&whole, 1500, 1).unwrap();
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|piece| piece.len() <= 1500 && fold(sum_of(&piece[..20])) == 0xffff));
        let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece[20..].to_vec()).collect();
        assert_eq!(joined, whole[20..]);
        let offsets: Vec<u16> = pieces.iter().map(|piece| u16_at(piece, 6).unwrap()).collect();
        assert_eq!(offsets, [0x2000, 0x2000 | 185, 370]);
    }

    #[test]
    fn pieces_of_version_6_have_a_header_of_their_own() {
        let pieces = pieces(&tcp6(&[7; 3000]), 1280, 99).unwrap();
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|piece| piece.len() <= 1280 && piece[6] == FRAGMENT6 && piece[40] == TCP));
        assert_eq!(read(&pieces[0]).unwrap().ports, Some((40000, 80)));
        assert_eq!(read(&pieces[1]).unwrap().ports, None);
    }

    #[test]
    fn a_packet_that_must_not_be_cut_is_not() {
        let mut whole = udp4(&[0; 3000]);
        whole[6] = 0x40;
        assert_eq!(pieces(&whole, 1500, 1), None);
    }
}
