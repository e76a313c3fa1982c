//! Clocks that disagree: between us and the engine, and between us and Prometheus, stands a proxy that moves every time of
//! day in what they say. The figures must come out as if it did not, and the review must say how far they are apart.

use crate::{
    alerts::{monitoring, scenario},
    drill::{Drill, Ran},
    stage::engine_socket,
};
use firedrill::event::EventKind;
use regex::bytes::{Captures, Regex};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    thread,
};

/// How far the engine is ahead, and Prometheus behind, in seconds.
const ENGINE: i64 = 90;
const PROMETHEUS: i64 = -47;

/// Something with two ends that can be had twice.
trait Stream: Read + Write + Send + Sized + 'static {
    fn twin(&self) -> Self;
    fn end(&self);
}

impl Stream for TcpStream {
    fn twin(&self) -> Self {
        self.try_clone().unwrap()
    }
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Stream for UnixStream {
    fn twin(&self) -> Self {
        self.try_clone().unwrap()
    }
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

/// Moves the times that a pattern finds; a moved one is as long as before, so that lengths of messages stay right.
struct Shift {
    pattern: Regex,
    seconds: i64,
}

impl Shift {
    fn new(pattern: &str, seconds: i64) -> Shift {
        Shift { pattern: Regex::new(pattern).unwrap(), seconds }
    }

    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let moved = |found: &Captures<'_>| [&found[1], self.time(&found[2]).as_bytes()].concat();
        self.pattern.replace_all(bytes, moved).into_owned()
    }

    /// Seconds since 1970, perhaps with more digits behind them, or `2026-03-01T10:00:00`.
    fn time(&self, text: &[u8]) -> String {
        let text = String::from_utf8(text.to_vec()).unwrap();
        match text.parse::<jiff::civil::DateTime>() {
            Ok(time) => (time + jiff::SignedDuration::from_secs(self.seconds)).to_string(),
            Err(_) => format!("{}{}", text[..10].parse::<i64>().unwrap() + self.seconds, &text[10..]),
        }
    }
}

/// What is asked is moved back, and what is answered there.
fn carry<S: Stream, T: Stream>(asking: S, answering: T, asked: fn() -> Shift, answered: fn() -> Shift) {
    let pairs = (asking.twin(), answering.twin());
    thread::spawn(move || pump(pairs.0, pairs.1, &asked()));
    thread::spawn(move || pump(answering, asking, &answered()));
}

fn pump<S: Stream, T: Stream>(mut from: S, mut to: T, shift: &Shift) {
    let mut piece = vec![0; 1 << 20];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if to.write_all(&shift.apply(&piece[..length])).is_err() {
            break;
        }
    }
    to.end();
}

fn engine_asked() -> Shift {
    Shift::new(r"([?&](?:since|until)=)(\d{10})", -ENGINE)
}

fn engine_answered() -> Shift {
    Shift::new(r#"("SystemTime":"|"time(?:Nano)?":)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d|\d{10})"#, ENGINE)
}

fn prometheus_asked() -> Shift {
    Shift::new("(never)(asked)", 0)
}

fn prometheus_answered() -> Shift {
    Shift::new(r#"([\["])(1[789]\d{8})"#, PROMETHEUS)
}

fn shifted_engine(socket: &Path) -> String {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let engine = UnixStream::connect(engine_socket()).unwrap();
            carry(stream, engine, engine_asked, engine_answered);
        }
    });
    format!("unix://{}", socket.display())
}

fn shifted_prometheus(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let prometheus = TcpStream::connect(("127.0.0.1", port)).unwrap();
            carry(stream, prometheus, prometheus_asked, prometheus_answered);
        }
    });
    ours
}

#[test]
fn times_are_moved_and_keep_their_length() {
    let moved = |shift: Shift, text: &str| String::from_utf8(shift.apply(text.as_bytes())).unwrap();
    assert_eq!(
        moved(
            engine_answered(),
            r#"{"SystemTime":"2026-03-01T23:59:00.12Z","time":1795386562,"timeNano":1795386562000000001}"#
        ),
        r#"{"SystemTime":"2026-03-02T00:00:30.12Z","time":1795386652,"timeNano":1795386652000000001}"#
    );
    assert_eq!(
        moved(prometheus_answered(), r#"[1795386562.245,"1795386561.586"]"#),
        r#"[1795386515.245,"1795386514.586"]"#
    );
    assert_eq!(moved(engine_asked(), "GET /events?since=1795386652&x HTTP"), "GET /events?since=1795386562&x HTTP");
}

#[test]
fn clocks_that_disagree_are_told_and_move_no_figure() {
    let mut drill = Drill::new();
    let web = drill.web("web", "0s:ok");
    let Some(monitoring) = monitoring(&[("one", &web)]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let engine = shifted_engine(&folder.path().join("docker.sock"));
    let detect = format!(
        "  prometheus: http://127.0.0.1:{}
  alerts: [{{ name: TargetDown, labels: {{ job: one }}, within: 9900ms, resolves_within: 9s }}]",
        shifted_prometheus(monitoring.prometheus)
    );
    let path = drill.scenario("clocks", &scenario(&web.url, &detect));
    let done = drill.command(&[&path], &[]).env("DOCKER_HOST", engine).output().unwrap();
    let ran = Ran::of(done, &drill.reports());
    ran.expect(0);

    let figures = ran.result["figures"].as_array().unwrap();
    let figure = |kind: &str| figures.iter().find(|f| f["kind"] == kind).and_then(|f| f["measured"]["value"].as_f64());
    let detected = figure("time_to_detect").expect("measured") / 1e9;
    assert!((1.0..9.9).contains(&detected), "a scrape, an evaluation and `for: 1s` later, not {detected} s");
    // The container's own events bound when the pause took effect.
    let fault = &ran.result["faults"][0];
    let bound = |at: usize| fault["effective_ns"][at].as_f64().unwrap_or_else(|| panic!("{fault:#}"));
    assert!(bound(0) >= 0.0 && bound(1) < 2e9, "{fault:#}");

    let offsets = ran.events().into_iter().filter_map(|event| match event.kind {
        EventKind::ClockCompared { offset_ns, .. } => Some(offset_ns),
        _ => None,
    });
    assert!(offsets.clone().count() >= 2, "at the start and at the end");
    offsets.for_each(|ns| assert!((ns - ENGINE * 1_000_000_000).abs() < 500_000_000, "{ns} ns"));
    let review = ran.review();
    for words in ["its clock: 47s behind, give or take", "| engine's clock | `"] {
        assert!(review.contains(words), "{words} is not in the review:\n{review}");
    }
}
