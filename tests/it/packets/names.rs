//! Name servers and those who ask them, as sockets: nothing of the engine.

use super::lab::Side;
use hickory_resolver::proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, Record, RecordType},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

/// What every name leads to.
pub const TRUTH: &str = "10.77.7.7";
/// Longer than any answer here takes.
pub const PATIENCE: Duration = Duration::from_millis(700);

/// Answers every question about an address of version 4 with [`TRUTH`], until the test ends.
pub fn serve_on(socket: UdpSocket) {
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&truth(&buffer[..length]), from);
        }
    });
}

fn truth(question: &[u8]) -> Vec<u8> {
    let question = Message::from_vec(question).expect("the checker asks well");
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    let query = question.queries[0].clone();
    if query.query_type == RecordType::A {
        let address: Ipv4Addr = TRUTH.parse().expect("an address");
        reply.add_answer(Record::from_rdata(query.name.clone(), 600, RData::A(address.into())));
    }
    reply.add_query(query);
    reply.to_vec().expect("encoded")
}

/// A name server on one side, over UDP and TCP.
pub fn serve(on: &Side, address: &str, port: u16) {
    let address = SocketAddr::new(address.parse().expect("an address"), port);
    let (ready, is_ready) = channel();
    on.spawn(move || {
        serve_on(UdpSocket::bind(address).expect("bound"));
        let listener = TcpListener::bind(address).expect("listening");
        ready.send(()).expect("somebody waits");
        for connection in listener.incoming().flatten() {
            thread::spawn(move || answer_over(connection));
        }
    });
    is_ready.recv().expect("ready");
}

fn answer_over(mut connection: TcpStream) -> std::io::Result<()> {
    let mut length = [0; 2];
    connection.read_exact(&mut length)?;
    let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
    connection.read_exact(&mut question)?;
    connection.write_all(&framed(&truth(&question)))
}

/// A server that asks another one from the same side, as Docker's embedded resolver does for what it does not know.
pub fn serve_forwarding(on: &Side, port: u16, upstream: &str) {
    let upstream = SocketAddr::new(upstream.parse().expect("an address"), 53);
    let (ready, is_ready) = channel();
    on.spawn(move || {
        let socket = UdpSocket::bind(("127.0.0.11", port)).expect("bound");
        ready.send(()).expect("somebody waits");
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let out = UdpSocket::bind("0.0.0.0:0").expect("bound");
            out.set_read_timeout(Some(PATIENCE)).expect("set");
            out.connect(upstream).expect("connected");
            out.send(&buffer[..length]).expect("sent");
            let mut answer = [0; 2048];
            if let Ok(length) = out.recv(&mut answer) {
                let _ = socket.send_to(&answer[..length], from);
            }
        }
    });
    is_ready.recv().expect("ready");
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// These addresses.
    Addresses(Vec<String>),
    /// None, with this code.
    Code(ResponseCode),
    /// Nothing.
    Nothing,
}

impl Told {
    pub fn truth() -> Told {
        Told::Addresses(vec![TRUTH.into()])
    }
}

fn question(name: &str, kind: RecordType) -> Vec<u8> {
    static IDS: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(1);
    let id = IDS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), kind));
    message.to_vec().expect("encoded")
}

fn told(question: &[u8], answer: &[u8]) -> Told {
    let (asked, answer) =
        (Message::from_vec(question).expect("ours"), Message::from_vec(answer).expect("a well-formed answer"));
    assert_eq!((answer.metadata.id, &answer.queries), (asked.metadata.id, &asked.queries), "an answer to the question");
    match answer.metadata.response_code {
        ResponseCode::NoError => Told::Addresses(answer.answers.iter().map(|r| r.data.to_string()).collect()),
        code => Told::Code(code),
    }
}

/// Asks over UDP, from one socket, one question after the other; each answer, and how long it took.
pub fn ask_all(from: &Side, resolver: &str, questions: &[(&str, RecordType)]) -> Vec<(Told, Duration)> {
    let resolver: IpAddr = resolver.parse().expect("an address");
    let questions: Vec<Vec<u8>> = questions.iter().map(|(name, kind)| question(name, *kind)).collect();
    from.run(move || {
        let any = if resolver.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).expect("bound");
        // Connected: an answer from anybody but the resolver is not heard.
        socket.connect((resolver, 53)).expect("connected");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        questions.iter().map(|question| one(&socket, question)).collect()
    })
}

fn one(socket: &UdpSocket, question: &[u8]) -> (Told, Duration) {
    let (start, mut buffer) = (Instant::now(), [0; 2048]);
    socket.send(question).expect("sent");
    let told = match socket.recv(&mut buffer) {
        Ok(length) => told(question, &buffer[..length]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Told::Nothing,
        Err(error) => panic!("{error}: neither an answer nor silence"),
    };
    (told, start.elapsed())
}

/// Asks once over UDP about an address of version 4.
pub fn ask(from: &Side, resolver: &str, name: &str) -> (Told, Duration) {
    ask_all(from, resolver, &[(name, RecordType::A)]).remove(0)
}

/// Asks over TCP.
pub fn ask_tcp(from: &Side, resolver: &str, name: &str) -> (Told, Duration) {
    let (resolver, question) =
        (SocketAddr::new(resolver.parse().expect("an address"), 53), question(name, RecordType::A));
    from.run(move || {
        let (start, mut answer, mut length) = (Instant::now(), Vec::new(), [0; 2]);
        let mut connection = TcpStream::connect_timeout(&resolver, PATIENCE).expect("connected");
        connection.set_read_timeout(Some(PATIENCE)).expect("set");
        connection.write_all(&framed(&question)).expect("sent");
        let told = match connection.read_exact(&mut length).and_then(|()| connection.read_to_end(&mut answer)) {
            Ok(_) => told(&question, &answer),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Told::Nothing,
            Err(error) => panic!("{error}: neither an answer nor silence"),
        };
        (told, start.elapsed())
    })
}
