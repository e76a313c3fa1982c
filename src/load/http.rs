//! HTTP/1.1: the only file that knows who speaks it for us.

use super::{
    Body, Check, Context, Env, HttpSettings, StatusRange, Template,
    connect::{Failure, Idle, Peer, Socket, Stream, classify},
    content::CONTENT_KEPT,
    tls,
};
use crate::measure::Class;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, Uri,
    body::Incoming,
    client::conn::http1::{self, Connection, SendRequest},
    header::{HOST, HeaderName, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{self, Poll},
};

/// What an HTTP probe sends, to whom, and what it takes for a good answer: all that is the same for every
/// request is made once.
pub(super) struct Target {
    pub peer: Peer,
    request: RequestTemplate,
    status: Vec<StatusRange>,
    content: Option<Check>,
}

struct RequestTemplate {
    method: Method,
    path: Text<Uri>,
    headers: HeaderMap,
    /// Those that change with every request.
    moving: Vec<(HeaderName, Template)>,
    body: Text<Bytes>,
}

/// A text that is ready, or one to be filled in for each request.
enum Text<T> {
    Ready(T),
    Moving(Template),
}

fn filled(text: &str, context: &Context, env: &Env) -> Result<Template, String> {
    Template::compile(text, &context.run, env).map_err(|unset| unset.to_string())
}

/// A variable of the environment stays inside the JSON string that it stands in, whatever it holds.
fn filled_body(body: Option<&Body>, context: &Context) -> Result<Template, String> {
    match body {
        None => filled("", context, &context.env),
        Some(Body::Text(text)) => filled(text, context, &context.env),
        Some(Body::Json(text)) => {
            let env = Arc::clone(&context.env);
            let escaped: Env = Arc::new(move |name| env(name).map(|value| inside_json(&value)));
            filled(text, context, &escaped)
        }
    }
}

/// A text as it stands between the quotes of a JSON string.
fn inside_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

impl Target {
    /// Takes the settings apart.
    ///
    /// # Errors
    /// What makes no request; never holds a secret.
    pub fn new(settings: &HttpSettings, context: &Context) -> Result<Target, String> {
        let template = |text: &str| filled(text, context, &context.env);
        let url = template(&settings.url)?;
        let wrong = |what: &str| format!("the url {} {what}", settings.url);
        let uri: Uri = url.fill(0).parse().map_err(|_| wrong("is not a valid one"))?;
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user name; send an `authorization` header instead"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let (tls, port) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(tls::Client::new(host, settings.insecure)?), 443),
            _ => return Err(wrong("starts with neither http:// nor https://")),
        };
        let method = settings.method.to_ascii_uppercase();
        let mut request = RequestTemplate {
            method: method.parse().map_err(|_| format!("`{method}` is not a method"))?,
            path: path(&url, &settings.url, &uri, template)?,
            headers: HeaderMap::new(),
            moving: Vec::new(),
            body: body(&filled_body(settings.body.as_ref(), context)?),
        };
        request.headers.insert(HOST, header(authority.as_str(), "host")?);
        request.headers.insert(USER_AGENT, HeaderValue::from_static(concat!("firedrill/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &settings.headers {
            request.add(name, template(value)?)?;
        }
        let check = |content| Check::compile(content, &context.run, &context.env);
        let content = settings.content.as_ref().map(check).transpose()?;
        let peer = Peer::new(host, authority.port_u16().unwrap_or(port), tls);
        Ok(Target { peer, request, status: settings.status.clone(), content })
    }

    /// Sends one request over a connection that stands, and reads all of its answer.
    pub async fn ask(&self, link: &mut Link, seq: u64) -> Result<Class, Failure> {
        let request = self.request.fill(seq);
        let Link { sender, connection, ended, .. } = link;
        let mut answer = pin!(self.answer(sender.send_request(request), seq));
        std::future::poll_fn(|cx| {
            // The request goes in at the front, the connection moves it and brings the answer.
            if let Poll::Ready(done) = answer.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if !*ended {
                *ended = Pin::new(&mut *connection).poll(cx).is_ready();
            }
            answer.as_mut().poll(cx)
        })
        .await
    }

    async fn answer(
        &self,
        sent: impl Future<Output = hyper::Result<Response<Incoming>>>,
        seq: u64,
    ) -> Result<Class, Failure> {
        let response = sent.await.map_err(|e| failure(&e))?;
        let status = response.status().as_u16();
        let expected = self.status.iter().any(|range| (range.from..=range.to).contains(&status));
        let check = self.content.as_ref().filter(|_| expected);
        let mut body = response.into_body();
        let mut kept = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| failure(&e))?;
            if let (Some(data), true) = (frame.data_ref(), check.is_some()) {
                let room = CONTENT_KEPT.saturating_sub(kept.len());
                kept.extend_from_slice(&data[..data.len().min(room)]);
            }
        }
        Ok(match check {
            _ if !expected => Class::Status,
            Some(check) if !check.accepts(seq, &kept) => Class::WrongContent,
            _ => Class::Ok,
        })
    }
}

fn path(
    url: &Template,
    written: &str,
    uri: &Uri,
    template: impl Fn(&str) -> Result<Template, String>,
) -> Result<Text<Uri>, String> {
    if url.fixed().is_some() {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        return Ok(Text::Ready(path.parse().map_err(|_| format!("the url {written} is not a valid one"))?));
    }
    let behind_scheme = written.find("://").map_or(0, |at| at + 3);
    let start = written[behind_scheme..].find(['/', '?']).map(|at| at + behind_scheme);
    let Some(start) = start.filter(|start| !written[..*start].contains("${seq}")) else {
        return Err(format!("the url {written} changes its host with every request"));
    };
    let rest = written[start..].split('#').next().unwrap_or_default();
    let slash = if rest.starts_with('?') { "/" } else { "" };
    Ok(Text::Moving(template(&format!("{slash}{rest}"))?))
}

fn body(template: &Template) -> Text<Bytes> {
    match template.fixed() {
        Some(text) => Text::Ready(Bytes::copy_from_slice(text.as_bytes())),
        None => Text::Moving(template.clone()),
    }
}

fn header(value: &str, name: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|_| format!("the header `{name}` holds characters that no header can"))
}

impl RequestTemplate {
    fn add(&mut self, name: &str, value: Template) -> Result<(), String> {
        let parsed: HeaderName = name.parse().map_err(|_| format!("`{name}` is not the name of a header"))?;
        match value.fixed() {
            Some(text) if parsed == HOST || parsed == USER_AGENT => {
                self.headers.insert(parsed, header(text, name)?);
            }
            Some(text) => {
                self.headers.append(parsed, header(text, name)?);
            }
            None => {
                header(&value.fill(0), name)?;
                self.moving.push((parsed, value));
            }
        }
        Ok(())
    }

    fn fill(&self, seq: u64) -> Request<Full<Bytes>> {
        let body = match &self.body {
            Text::Ready(bytes) => bytes.clone(),
            Text::Moving(template) => template.fill(seq).into_owned().into(),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = match &self.path {
            Text::Ready(uri) => uri.clone(),
            Text::Moving(template) => template.fill(seq).parse().expect("it was valid with another number"),
        };
        let mut headers = self.headers.clone();
        for (name, template) in &self.moving {
            let value = HeaderValue::from_str(&template.fill(seq)).expect("it was valid with another number");
            headers.append(name, value);
        }
        *request.headers_mut() = headers;
        request
    }
}

/// How an error while talking counts.
fn failure(error: &hyper::Error) -> Failure {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    match source.map(classify) {
        // Once the connection stands, nothing is refused any more.
        Some(Failure::Theirs(Class::Refused)) => Failure::Theirs(Class::Reset),
        Some(failure) => failure,
        None if error.is_parse() => Failure::Theirs(Class::WrongContent),
        None => Failure::Theirs(Class::Closed),
    }
}

/// A connection that stands, kept alive between requests.
pub(super) struct Link {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<Stream>, Full<Bytes>>,
    socket: Socket,
    may_speak_first: bool,
    ended: bool,
}

impl Link {
    /// Connects and gets ready to send.
    pub async fn open(peer: &Peer) -> Result<Link, Failure> {
        let stream = peer.connect().await?;
        let (socket, may_speak_first) = (stream.socket(), stream.may_speak_first());
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| failure(&e))?;
        Ok(Link { sender, connection, socket, may_speak_first, ended: false })
    }

    /// Moves an idle connection along; ready when it has ended.
    pub fn poll_end(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        if !self.ended {
            self.ended = Pin::new(&mut self.connection).poll(cx).is_ready();
        }
        if self.ended { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether another request may be sent on it, as far as anyone can know: nothing has arrived that ends
    /// it. What is closed while our request is on its way fails, and counts: we never send twice.
    pub fn usable(&mut self) -> bool {
        let quiet = match self.socket.look() {
            Idle::Quiet => true,
            Idle::Bytes => self.may_speak_first,
            Idle::Closed => false,
        };
        quiet && !self.ended && self.sender.is_ready()
    }
}
