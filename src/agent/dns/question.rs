//! One question as it stands in a packet, and the packet that answers it. Whatever is malformed is no question.

use super::Answer;
use crate::agent::packet::{self, Flow, TCP, UDP};
use hickory_resolver::proto::{
    op::{Edns, Message, MessageType, Metadata, OpCode, Query, ResponseCode},
    rr::{DNSClass, RData, Record, RecordType},
};
use std::net::IpAddr;

/// Our answers hold for no time: what is answered wrongly must not outlive the fault in anybody's cache.
const TTL: u32 = 0;
/// What we say that we can take, to those who speak EDNS.
const PAYLOAD: u16 = 1232;

/// A question that somebody asks a resolver.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// In lower case, without its final dot.
    pub name: String,
    /// Over TCP; over UDP otherwise.
    pub over_tcp: bool,
    metadata: Metadata,
    query: Query,
    edns: bool,
}

/// The question in a packet, if it is one and all of it is there.
pub fn asked(bytes: &[u8], flow: &Flow) -> Option<Asked> {
    let payload = bytes.get(packet::payload_at(bytes, flow)?..flow.length.min(bytes.len()))?;
    let (message, over_tcp) = match flow.protocol {
        UDP => (Message::from_vec(payload).ok()?, false),
        TCP => (in_stream(payload)?, true),
        _ => return None,
    };
    let metadata = message.metadata;
    let [query] = &message.queries[..] else { return None };
    if metadata.message_type != MessageType::Query || metadata.op_code != OpCode::Query {
        return None;
    }
    let name = query.name.to_ascii().to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
    Some(Asked { name, over_tcp, metadata, query: query.clone(), edns: message.edns.is_some() })
}

/// The first message of a segment. Before it stands its length, which some send in a segment of its own.
fn in_stream(payload: &[u8]) -> Option<Message> {
    let length = usize::from(u16::from_be_bytes(payload.get(..2)?.try_into().ok()?));
    let framed = payload.get(2..2 + length).and_then(|message| Message::from_vec(message).ok());
    framed.or_else(|| Message::from_vec(payload).ok())
}

impl Asked {
    /// What is asked about the name.
    pub fn kind(&self) -> RecordType {
        self.query.query_type
    }

    /// The number that the asker gave the question.
    pub fn id(&self) -> u16 {
        self.metadata.id
    }

    /// The packet that answers it as if the resolver had, from the IP header on; `None`: no answer is to be given.
    pub fn answered(&self, flow: &Flow, answer: &Answer) -> Option<Vec<u8>> {
        let message = self.reply(answer)?;
        packet::datagram_back(flow, &message)
    }

    fn reply(&self, answer: &Answer) -> Option<Vec<u8>> {
        let mut reply = Message::response(self.metadata.id, OpCode::Query);
        reply.metadata.recursion_desired = self.metadata.recursion_desired;
        reply.metadata.checking_disabled = self.metadata.checking_disabled;
        reply.metadata.recursion_available = true;
        reply.metadata.response_code = match answer {
            Answer::ServFail => ResponseCode::ServFail,
            Answer::NxDomain => ResponseCode::NXDomain,
            Answer::Wrong(_) => ResponseCode::NoError,
            Answer::Timeout => return None,
        };
        reply.add_query(self.query.clone());
        if let Answer::Wrong(addresses) = answer {
            reply.add_answers(addresses.iter().filter_map(|address| self.record(*address)));
        }
        if self.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(PAYLOAD);
            reply.set_edns(edns);
        }
        reply.to_vec().ok()
    }

    fn record(&self, address: IpAddr) -> Option<Record> {
        let data = match (address, self.kind(), self.query.query_class) {
            (IpAddr::V4(v4), RecordType::A, DNSClass::IN) => RData::A(v4.into()),
            (IpAddr::V6(v6), RecordType::AAAA, DNSClass::IN) => RData::AAAA(v6.into()),
            _ => return None,
        };
        Some(Record::from_rdata(self.query.name.clone(), TTL, data))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use hickory_resolver::proto::rr::Name;
    use proptest::prelude::*;

    fn message(name: &str, kind: RecordType, edns: bool) -> Vec<u8> {
        let mut message = Message::new(0x1234, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
        if edns {
            message.set_edns(Edns::new());
        }
        message.to_vec().expect("encoded")
    }

    /// A packet from 10.0.0.1 or fd00::1 to a resolver with this behind its header.
    pub fn packet_to(resolver: &str, protocol: u8, payload: &[u8]) -> (Vec<u8>, Flow) {
        let resolver: IpAddr = resolver.parse().expect("an address");
        let source = if resolver.is_ipv4() { "10.0.0.1" } else { "fd00::1" }.parse().expect("an address");
        let there =
            Flow { source: resolver, destination: source, protocol, ports: Some((53, 40000)), transport: 0, length: 0 };
        let mut bytes = packet::datagram_back(&there, payload).expect("ports");
        if protocol == TCP {
            let (ip, ports) = (bytes.len() - 8 - payload.len(), [0x9c, 0x40, 0, 53]);
            bytes.truncate(ip);
            bytes.extend([&ports[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x18, 1, 0, 0, 0, 0, 0], payload].concat());
            let length = bytes.len() as u16;
            if resolver.is_ipv4() {
                bytes[9] = TCP;
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
            } else {
                bytes[6] = TCP;
                bytes[4..6].copy_from_slice(&(length - 40).to_be_bytes());
            }
        }
        let flow = packet::read(&bytes).expect("a packet");
        (bytes, flow)
    }

    /// A question to a resolver, and its headers.
    pub fn question(resolver: &str, name: &str) -> (Asked, Flow) {
        let (bytes, flow) = packet_to(resolver, UDP, &message(name, RecordType::A, false));
        (asked(&bytes, &flow).expect("a question"), flow)
    }

    fn read_back(packet: &[u8]) -> (Flow, Message) {
        let flow = packet::read(packet).expect("a packet");
        (flow, Message::from_vec(&packet[flow.transport + 8..]).expect("a message"))
    }

    #[test]
    fn an_answer_comes_from_the_resolver_and_repeats_the_question_letter_by_letter() {
        for (resolver, edns) in [("127.0.0.11", false), ("fd00::53", true)] {
            let (bytes, flow) = packet_to(resolver, UDP, &message("PayMents.Example.", RecordType::A, edns));
            let asked = asked(&bytes, &flow).expect("a question");
            assert_eq!((asked.name.as_str(), asked.over_tcp, asked.id()), ("payments.example", false, 0x1234));
            for (answer, code) in
                [(Answer::ServFail, ResponseCode::ServFail), (Answer::NxDomain, ResponseCode::NXDomain)]
            {
                let (back, reply) = read_back(&asked.answered(&flow, &answer).expect("an answer"));
                assert_eq!((back.source, back.destination), (flow.destination, flow.source));
                assert_eq!(back.ports, Some((53, 40000)));
                assert_eq!((reply.metadata.id, reply.metadata.response_code), (0x1234, code));
                assert_eq!(reply.metadata.message_type, MessageType::Response);
                assert!(reply.metadata.recursion_desired && reply.metadata.recursion_available);
                assert_eq!(reply.queries[0].name.to_ascii(), "PayMents.Example.");
                assert_eq!(reply.edns.is_some(), edns);
                assert!(reply.answers.is_empty() && reply.authorities.is_empty(), "nothing that could be cached");
            }
            assert_eq!(asked.answered(&flow, &Answer::Timeout), None);
        }
    }

    #[test]
    fn wrong_addresses_are_those_of_the_kind_asked_for_and_hold_for_no_time() {
        let wrong = Answer::Wrong(vec!["10.9.9.9".parse().expect("v4"), "fd99::9".parse().expect("v6")]);
        for (kind, address) in [(RecordType::A, "10.9.9.9"), (RecordType::AAAA, "fd99::9")] {
            let (bytes, flow) = packet_to("10.0.0.53", UDP, &message("payments.", kind, false));
            let packet = asked(&bytes, &flow).expect("a question").answered(&flow, &wrong).expect("an answer");
            let (_, reply) = read_back(&packet);
            let found: Vec<(String, u32)> = reply.answers.iter().map(|r| (r.data.to_string(), r.ttl)).collect();
            assert_eq!(found, [(address.to_owned(), 0)]);
        }
    }

    #[test]
    fn questions_over_tcp_are_seen_with_their_length_before_them_or_without() {
        let bare = message("payments.", RecordType::A, false);
        let framed = [&(bare.len() as u16).to_be_bytes()[..], &bare].concat();
        for payload in [framed, bare] {
            let (bytes, flow) = packet_to("fd00::53", TCP, &payload);
            assert!(asked(&bytes, &flow).is_some_and(|asked| asked.over_tcp && asked.name == "payments"));
        }
        let (bytes, flow) = packet_to("10.0.0.53", TCP, &[]);
        assert_eq!(asked(&bytes, &flow), None, "an acknowledgement");
    }

    #[test]
    fn what_is_no_question_is_none() {
        let answer = {
            let mut message = Message::from_vec(&message("a.", RecordType::A, false)).expect("a message");
            message.metadata.message_type = MessageType::Response;
            message.to_vec().expect("encoded")
        };
        let whole = message("payments.example.", RecordType::A, true);
        let cut = whole[..whole.len() - 3].to_vec();
        // A name that points to itself, and a count of questions that are not there.
        let loops = [&whole[..12], &[0xc0, 12, 0, 1, 0, 1]].concat();
        let many = [&whole[..4], &[0xff, 0xff], &whole[6..]].concat();
        for payload in [answer, cut, loops, many, vec![], vec![0; 11], vec![0xff; 600]] {
            let (bytes, flow) = packet_to("10.0.0.53", UDP, &payload);
            assert_eq!(asked(&bytes, &flow), None, "{payload:02x?}");
        }
        let (bytes, flow) = packet_to("10.0.0.53", UDP, &whole);
        assert_eq!(asked(&bytes[..bytes.len() - 20], &flow), None, "only part of it was copied to us");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Some(flow) = packet::read(&bytes) {
                let _ = asked(&bytes, &flow);
            }
            for (resolver, protocol) in [("10.0.0.53", UDP), ("fd00::53", TCP)] {
                let (bytes, flow) = packet_to(resolver, protocol, &bytes);
                let _ = asked(&bytes, &flow);
            }
        }

        /// A question with some bytes changed: either it is none, or its answer is one to it.
        #[test]
        fn damaged_questions_get_answers_that_fit_or_none(
            changes in proptest::collection::vec((0_usize..60, any::<u8>()), 0..6),
            edns in any::<bool>(),
        ) {
            let mut payload = message("pay-ments.example.com.", RecordType::AAAA, edns);
            for (at, byte) in changes {
                let length = payload.len();
                payload[at % length] = byte;
            }
            let (bytes, flow) = packet_to("fd00::53", UDP, &payload);
            if let Some(asked) = asked(&bytes, &flow) {
                let wrong = Answer::Wrong(vec!["fd99::9".parse().expect("v6"); super::super::ADDRESSES_MOST]);
                for answer in [Answer::ServFail, wrong] {
                    let packet = asked.answered(&flow, &answer).expect("an answer");
                    let (back, reply) = read_back(&packet);
                    prop_assert_eq!(back.length, packet.len());
                    prop_assert!(packet.len() - 48 <= 512);
                    prop_assert_eq!(reply.metadata.id, asked.id());
                    prop_assert_eq!(&reply.queries[0], &asked.query);
                }
            }
        }
    }
}
