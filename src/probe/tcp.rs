//! TCP: connect, optionally say something, optionally wait for something.

use crate::{
    load::{
        CONTENT_KEPT, Check, Context, TcpSettings, Template,
        connect::{Failure, Peer, Stream, classify},
    },
    measure::Class,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a TCP probe does. Each request has a connection of its own.
pub(crate) struct Target {
    peer: Peer,
    send: Option<Template>,
    expect: Option<Check>,
}

impl Target {
    /// Takes the settings apart.
    ///
    /// # Errors
    /// What makes no request; never holds a secret.
    pub fn new(settings: &TcpSettings, context: &Context) -> Result<Target, String> {
        let template =
            |text: &str| Template::compile(text, &context.run, &context.env).map_err(|unset| unset.to_string());
        let wrong = || format!("`{}` is not an address; write it like `host:6379`", settings.address);
        let address = template(&settings.address)?.fill(0).into_owned();
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().map_err(|_| wrong())?;
        if host.is_empty() {
            return Err(wrong());
        }
        let check = |content| Check::compile(content, &context.run, &context.env);
        Ok(Target {
            peer: Peer::new(host, port, None),
            send: settings.send.as_deref().map(template).transpose()?,
            expect: settings.expect.as_ref().map(check).transpose()?,
        })
    }

    /// One dialogue.
    pub async fn ask(&self, seq: u64) -> Result<Class, Failure> {
        let mut stream = self.peer.connect().await?;
        let talked = self.talk(&mut stream, seq).await;
        talked.map_err(|e| match classify(&e) {
            // Once the connection stands, nothing is refused any more.
            Failure::Theirs(Class::Refused) => Failure::Theirs(Class::Reset),
            failure => failure,
        })
    }

    async fn talk(&self, stream: &mut Stream, seq: u64) -> std::io::Result<Class> {
        if let Some(text) = &self.send {
            stream.write_all(text.fill(seq).as_bytes()).await?;
            stream.flush().await?;
        }
        let Some(expected) = &self.expect else { return Ok(Class::Ok) };
        let mut heard = Vec::new();
        loop {
            let got = stream.read_buf(&mut heard).await?;
            if expected.accepts(seq, &heard) {
                return Ok(Class::Ok);
            }
            if got == 0 {
                return Ok(if heard.is_empty() { Class::Closed } else { Class::WrongContent });
            }
            if heard.len() > CONTENT_KEPT {
                return Ok(Class::WrongContent);
            }
        }
    }
}
