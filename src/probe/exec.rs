//! A command whose exit code and output are the answer: in containers, or on this host.

use super::{Asked, Probe, class_of};
use crate::{
    container::{ContainerId, Containers, Op, OpOutcome},
    load::{CONTENT_KEPT, Check, Context, ExecSettings, Template},
    measure::Class,
};
use std::{
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    sync::Arc,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

/// The command and what is good, taken apart once.
struct Question {
    command: Vec<Template>,
    exit: i64,
    content: Option<Check>,
}

impl Question {
    fn new(settings: &ExecSettings, context: &Context) -> Result<Question, String> {
        let template =
            |text: &String| Template::compile(text, &context.run, &context.env).map_err(|unset| unset.to_string());
        let command: Vec<Template> = settings.command.iter().map(template).collect::<Result<_, _>>()?;
        if command.is_empty() {
            return Err("the command is empty".into());
        }
        let check = |content| Check::compile(content, &context.run, &context.env);
        Ok(Question { command, exit: settings.exit, content: settings.content.as_ref().map(check).transpose()? })
    }

    fn command(&self, seq: u64) -> Vec<String> {
        self.command.iter().map(|part| part.fill(seq).into_owned()).collect()
    }

    fn judge(&self, seq: u64, code: i64, output: &[u8]) -> Class {
        match &self.content {
            _ if code != self.exit => Class::Status,
            Some(check) if !check.accepts(seq, output) => Class::WrongContent,
            _ => Class::Ok,
        }
    }
}

/// In these containers in turn.
pub(super) struct InContainers {
    question: Question,
    on: Vec<ContainerId>,
    containers: Arc<dyn Containers>,
}

impl InContainers {
    pub fn new(
        settings: &ExecSettings,
        on: &[ContainerId],
        containers: Arc<dyn Containers>,
        context: &Context,
    ) -> Result<InContainers, String> {
        Ok(InContainers { question: Question::new(settings, context)?, on: on.to_vec(), containers })
    }
}

impl Probe for InContainers {
    fn ask(&self, seq: u64) -> Asked<'_> {
        let on = self.on[(seq % self.on.len() as u64) as usize].clone();
        let op = Op::Exec { command: self.question.command(seq), user: None };
        let containers = Arc::clone(&self.containers);
        // An operation that was begun is never dropped half-way; only we stop waiting for it.
        let performed = tokio::spawn(async move { containers.perform(&on, &op).await });
        Box::pin(async move {
            match performed.await {
                Ok(Ok(OpOutcome::Exited { code, output })) => self.question.judge(seq, code, output.as_bytes()),
                Ok(Ok(OpOutcome::Done | OpOutcome::Already | OpOutcome::Seen(_) | OpOutcome::Over { .. })) => {
                    self.question.judge(seq, 0, b"")
                }
                Ok(Err(e)) => class_of(&e),
                Err(_) => Class::Refused,
            }
        })
    }
}

/// On the host that firedrill runs on.
pub(super) struct OnThisHost(Question);

impl OnThisHost {
    pub fn new(settings: &ExecSettings, context: &Context) -> Result<OnThisHost, String> {
        Question::new(settings, context).map(OnThisHost)
    }
}

impl Probe for OnThisHost {
    fn ask(&self, seq: u64) -> Asked<'_> {
        Box::pin(async move {
            let Some(mut group) = Group::start(&self.0.command(seq)) else { return Class::Refused };
            let mut output = Vec::new();
            let (stdout, stderr) = (group.child.stdout.take(), group.child.stderr.take());
            let mut errors = Vec::new();
            tokio::join!(keep(stdout, &mut output), keep(stderr, &mut errors));
            output.append(&mut errors);
            let Ok(status) = group.child.wait().await else { return Class::Refused };
            group.ended = true;
            self.0.judge(seq, code(status), &output)
        })
    }
}

/// A command with everything that it started: dropped before its end, all of it is killed.
struct Group {
    child: Child,
    id: Option<u32>,
    ended: bool,
}

impl Group {
    /// `None` if there is no such program or it may not be run.
    fn start(command: &[String]) -> Option<Group> {
        let (program, arguments) = command.split_first()?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        let id = child.id();
        Some(Group { child, id, ended: false })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let group = self.id.filter(|_| !self.ended).and_then(|id| Pid::from_raw(id as i32));
        if let Some(group) = group {
            // It may have ended by itself just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Reads to the end and keeps the beginning.
async fn keep(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    // An output that breaks off is judged as far as it came.
    let _ = (&mut from).take(CONTENT_KEPT as u64).read_to_end(into).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
}

/// As a shell would say it.
fn code(status: ExitStatus) -> i64 {
    i64::from(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
}
