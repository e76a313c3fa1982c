//! Starting helpers: the running program as an image, once, and containers of it with the least of everything.

use super::{Docker, errors::told, image};
use crate::container::{
    ContainerError, ContainerId, Helper, Holder, NewHelper, OpOutcome, RUN_LABEL, RUNNER_LABEL, Said,
    helper::{BESIDE_LABEL, HELPER_IMAGE_LABEL, HelperMount, LINE_MOST, LINES_WAITING, Namespace, ROLE_LABEL},
};
use bollard::{
    container::{AttachContainerResults, LogOutput},
    exec::StartExecResults,
    models::{
        ContainerCreateBody, ExecConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount, MountType,
        RestartPolicy, RestartPolicyNameEnum,
    },
    query_parameters::{
        AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, ListContainersOptionsBuilder,
        ListImagesOptionsBuilder,
    },
};
use futures_util::{Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use rand::{TryRng, rngs::SysRng};
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::{OnceCell, mpsc},
};

/// The repository of the images; their tag is part of a digest.
const REPOSITORY: &str = "firedrill-helper";
/// On an image: the mark of its program's build.
const BUILD_LABEL: &str = "firedrill.build";
/// That mark lies among the first bytes of a program.
const MARK_WITHIN: u64 = 1 << 16;
/// An image of another version that was loaded so long ago is removed; a younger one may be about to be used.
const OLD: SignedDuration = SignedDuration::from_hours(1);
/// The role of the packet agent, as a label.
const ROLE_PACKETS: &str = "firedrill.role=packets";
/// How often a helper comes, when its image went between the load and the start.
const TRIES: usize = 3;

/// The program that helpers run, and what image it has become.
#[derive(Debug, Clone)]
pub(super) struct Program {
    path: PathBuf,
    image: Arc<OnceCell<Packed>>,
}

#[derive(Debug, Clone)]
struct Packed {
    tag: String,
    archive: image::Image,
}

impl Default for Program {
    /// The running one, even if its file has been replaced meanwhile.
    fn default() -> Program {
        Program { path: "/proc/self/exe".into(), image: Arc::default() }
    }
}

impl Docker {
    /// The same engine, with helpers made of another program; for tests, whose own program is none.
    #[must_use]
    pub fn with_helpers_of(mut self, program: &Path) -> Docker {
        self.program = Program { path: program.to_owned(), image: Arc::default() };
        self
    }

    /// Loads the image of helpers, unless it is there; its tag. Images of earlier versions go.
    ///
    /// # Errors
    /// `Refused` if the engine runs on another architecture, or the program cannot be read; else the engine's.
    pub async fn helper_image(&self) -> Result<String, ContainerError> {
        fits(&self.info.arch)?;
        if let Some(tag) = self.known_helper().await {
            return Ok(tag);
        }
        let packed = self.program.image.get_or_try_init(|| self.pack_helper()).await?;
        let id = self.load(&packed.tag, packed.archive.clone()).await?;
        self.forget_old_helpers(&id).await;
        Ok(packed.tag.clone())
    }

    /// The image of this very build, if the engine has it. A build is known by its linker's mark, which costs less to
    /// read than a program to pack.
    async fn known_helper(&self) -> Option<String> {
        let mut beginning = Vec::new();
        File::open(&self.program.path).ok()?.take(MARK_WITHIN).read_to_end(&mut beginning).ok()?;
        let mark = image::build_id(&beginning)?;
        let tag = tag(&mark);
        let found = self.ask(self.client.inspect_image(&tag)).await.ok()?;
        (found.config?.labels?.get(BUILD_LABEL) == Some(&mark)).then_some(tag)
    }

    async fn pack_helper(&self) -> Result<Packed, ContainerError> {
        let path = self.program.path.clone();
        let packing = tokio::task::spawn_blocking(move || pack(&path));
        let packed = packing.await.map_err(|died| refused(format!("packing the helper image died: {died}")))?;
        packed.map_err(|error| refused(format!("{} cannot be packed: {error}", self.program.path.display())))
    }

    /// Quietly: what is still used stays, and what stays costs only space.
    async fn forget_old_helpers(&self, but: &str) {
        let filters = HashMap::from([("label", vec![HELPER_IMAGE_LABEL])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let Ok(found) = self.ask(self.client.list_images(Some(options))).await else { return };
        for one in found.iter().filter(|one| one.id != but) {
            if self.is_old(&one.id).await {
                let _ = self.remove_image(&one.id).await;
            }
        }
    }

    async fn is_old(&self, image: &str) -> bool {
        let Ok(found) = self.ask(self.client.inspect_image(image)).await else { return false };
        let tagged = found.metadata.and_then(|metadata| metadata.last_tag_time);
        let tagged: Option<Timestamp> = tagged.and_then(|text| text.parse().ok());
        let now = Timestamp::from_nanosecond(i128::from(self.engine_now_ns())).ok();
        now.zip(tagged).is_some_and(|(now, tagged)| now.duration_since(tagged) > OLD)
    }

    pub(super) async fn start_helper(&self, new: NewHelper) -> Result<Helper, ContainerError> {
        for _ in 1..TRIES {
            match self.start_helper_once(&new).await {
                // Somebody removed the image, or the container that it was to join: only the former can be mended.
                Err(ContainerError::NotFound { what }) if what.contains(REPOSITORY) => {}
                answer => return answer,
            }
        }
        self.start_helper_once(&new).await
    }

    async fn start_helper_once(&self, new: &NewHelper) -> Result<Helper, ContainerError> {
        let image = self.helper_image().await?;
        let options = CreateContainerOptionsBuilder::new().name(&name(new)).build();
        let made = self.ask(self.client.create_container(Some(options), body(new, &image))).await?;
        let id = ContainerId { host: self.info.id.clone(), id: made.id };
        match self.attach_and_start(&id).await {
            Ok((say, said)) => Ok(Helper { id, say, said }),
            Err(error) => {
                let _ = self.remove_container(&id.id).await;
                Err(error)
            }
        }
    }

    pub(super) async fn resume_helper(&self, id: ContainerId) -> Result<Helper, ContainerError> {
        let (say, said) = self.attach_and_start(&id).await?;
        Ok(Helper { id, say, said })
    }

    /// Our program inside a container that runs already, by a command of ours.
    pub(super) async fn exec_helper(&self, on: &ContainerId, command: Vec<String>) -> Result<Helper, ContainerError> {
        let config = ExecConfig {
            cmd: Some(command),
            user: Some("0".into()),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let exec = self.ask(self.client.create_exec(&on.id, config)).await?.id;
        match self.ask(self.client.start_exec(&exec, None)).await? {
            StartExecResults::Attached { output, input } => {
                let (say, said) = converse(AttachContainerResults { output, input }, self.info.address.clone());
                Ok(Helper { id: on.clone(), say, said })
            }
            StartExecResults::Detached => Err(refused("the engine did not attach to the command".into())),
        }
    }

    /// Ends every agent beside a container; with an agent its rules go, by the kernel's hand.
    pub(super) async fn remove_agents(&self, owner: &ContainerId) -> Result<OpOutcome, ContainerError> {
        let label = format!("{BESIDE_LABEL}={}", owner.id);
        let filters = HashMap::from([("label", vec![label.as_str(), ROLE_PACKETS])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.ask(self.client.list_containers(Some(options))).await?;
        let ids: Vec<String> = found.into_iter().filter_map(|one| one.id).collect();
        for id in &ids {
            self.remove_container(id).await?;
        }
        Ok(if ids.is_empty() { OpOutcome::Already } else { OpOutcome::Done })
    }

    /// Attached before it starts, so that none of its words is missed.
    async fn attach_and_start(
        &self,
        id: &ContainerId,
    ) -> Result<(mpsc::Sender<String>, mpsc::Receiver<Said>), ContainerError> {
        let options = AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stderr(true).stream(true).build();
        let attached = self.ask(self.client.attach_container(&id.id, Some(options))).await?;
        self.start_container(id).await?;
        Ok(converse(attached, self.info.address.clone()))
    }
}

/// The engine must run what we are.
fn fits(theirs: &str) -> Result<(), ContainerError> {
    let ours = image::architecture();
    let theirs = match theirs {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    if theirs.is_empty() || theirs == ours {
        return Ok(());
    }
    Err(refused(format!(
        "the engine runs on {theirs}, and this firedrill is built for {ours}: its helpers cannot run there; \
         use a firedrill built for {theirs}"
    )))
}

fn refused(message: String) -> ContainerError {
    ContainerError::Refused { status: 0, message }
}

fn pack(program: &Path) -> std::io::Result<Packed> {
    let files = image::program(program, "firedrill")?;
    let env = image::library_path(&files).map(|path| format!("LD_LIBRARY_PATH={path}"));
    let layer = image::layer(&files)?;
    let mark = files.first().and_then(|program| image::build_id(&program.content));
    let tag = tag(mark.as_deref().unwrap_or(layer.trim_start_matches("sha256:")));
    let mut labels = BTreeMap::from([(HELPER_IMAGE_LABEL.into(), layer), (RUN_LABEL.into(), "helper".into())]);
    labels.extend(mark.map(|mark| (BUILD_LABEL.into(), mark)));
    let recipe = image::Recipe {
        tag: tag.clone(),
        entrypoint: vec!["/firedrill".into()],
        env: env.into_iter().collect(),
        labels,
    };
    Ok(Packed { tag, archive: image::pack(&recipe, &files)? })
}

fn tag(of: &str) -> String {
    format!("{REPOSITORY}:{}", of.get(..12).unwrap_or(of))
}

/// `firedrill-agent-1f2e3d4c`
fn name(new: &NewHelper) -> String {
    let mut random = [0; 4];
    // Without chance the name may be taken, which the engine says.
    let _ = SysRng.try_fill_bytes(&mut random);
    format!("firedrill-{}-{:08x}", new.role, u32::from_ne_bytes(random))
}

fn body(new: &NewHelper, image: &str) -> ContainerCreateBody {
    let runner = Holder::here(&new.run).runner;
    let own = [(RUN_LABEL, new.run.clone()), (RUNNER_LABEL, runner), (ROLE_LABEL, new.role.clone())]
        .map(|(name, value)| (name.to_owned(), value));
    ContainerCreateBody {
        image: Some(image.into()),
        cmd: Some(new.arguments.clone()),
        user: Some("0:0".into()),
        labels: Some(new.labels.clone().into_iter().chain(own).collect()),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        host_config: Some(host_config(new)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(new: &NewHelper) -> HostConfig {
    let policy = RestartPolicy { name: Some(RestartPolicyNameEnum::ON_FAILURE), maximum_retry_count: Some(0) };
    HostConfig {
        network_mode: Some(mode(&new.network).unwrap_or_else(|| "none".into())),
        pid_mode: mode(&new.processes),
        cgroupns_mode: new.host_cgroups.then_some(HostConfigCgroupnsModeEnum::HOST),
        cap_drop: Some(vec!["ALL".into()]),
        cap_add: Some(new.capabilities.clone()),
        security_opt: Some(vec!["no-new-privileges".into()]),
        readonly_rootfs: Some(!new.lasting),
        auto_remove: Some(!new.lasting),
        restart_policy: new.lasting.then_some(policy),
        mounts: Some(new.mounts.iter().map(mount).collect()),
        log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
        ..HostConfig::default()
    }
}

fn mode(namespace: &Namespace) -> Option<String> {
    match namespace {
        Namespace::Own => None,
        Namespace::Host => Some("host".into()),
        Namespace::Of(id) => Some(format!("container:{id}")),
    }
}

/// Never a bind by its short form: the engine would make a source that is missing.
fn mount(one: &HelperMount) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(one.source.clone()),
        target: Some(one.target.clone()),
        read_only: Some(one.read_only),
        ..Mount::default()
    }
}

/// Two tasks that carry lines, until either side is gone.
fn converse(attached: AttachContainerResults, address: String) -> (mpsc::Sender<String>, mpsc::Receiver<Said>) {
    let (say, lines) = mpsc::channel(LINES_WAITING);
    let (hear, said) = mpsc::channel(LINES_WAITING);
    tokio::spawn(carry_in(lines, attached.input));
    tokio::spawn(carry_out(attached.output, hear, address));
    (say, said)
}

async fn carry_in(mut lines: mpsc::Receiver<String>, mut stdin: Pin<Box<dyn AsyncWrite + Send>>) {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
    let _ = stdin.shutdown().await;
}

async fn carry_out(
    mut output: Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>,
    hear: mpsc::Sender<Said>,
    address: String,
) {
    let (mut words, mut complaints) = (Lines::default(), Lines::default());
    while let Some(piece) = output.next().await {
        let said: Vec<Said> = match piece {
            Ok(LogOutput::StdErr { message }) => complaints.take(&message).into_iter().map(Said::Complaint).collect(),
            Ok(piece) => words.take(&piece.into_bytes()).into_iter().map(Said::Line).collect(),
            Err(error) => {
                tracing::debug!("a helper's words broke off: {}", told(error, &address));
                return;
            }
        };
        for one in said {
            if hear.send(one).await.is_err() {
                return;
            }
        }
    }
}

/// Puts lines together again from pieces that end anywhere.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn take(&mut self, piece: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let room = LINE_MOST.saturating_sub(self.begun.len());
            self.begun.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                whole.push(String::from_utf8_lossy(&self.begun).trim_end().to_owned());
                self.begun.clear();
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_were_cut() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"{\"a\":"), [""; 0]);
        assert_eq!(lines.take(b"1}\n{\"b\":2}\nhal"), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(lines.take(b"f\n"), ["half"]);
        let endless = vec![b'x'; LINE_MOST];
        assert_eq!(lines.take(&endless), [""; 0]);
        assert_eq!(lines.take(&endless), [""; 0]);
        assert_eq!(lines.take(b"\nnext\n")[1], "next");
    }

    #[test]
    fn a_helper_has_the_least_of_everything_unless_asked() {
        let plain = host_config(&NewHelper::new("r1", "agent", &["agent"]));
        assert_eq!((plain.network_mode.as_deref(), plain.pid_mode), (Some("none"), None));
        assert_eq!((plain.cap_drop, plain.cap_add), (Some(vec!["ALL".into()]), Some(vec![])));
        assert_eq!((plain.readonly_rootfs, plain.auto_remove), (Some(true), Some(true)));
        let target = ContainerId { host: "h".into(), id: "abc".into() };
        let beside = NewHelper::new("r1", "agent", &["agent"]).in_network_of(&target).with("NET_ADMIN");
        assert_eq!(host_config(&beside).network_mode.as_deref(), Some("container:abc"));
        let labels = body(&beside, "image").labels.unwrap();
        assert_eq!((labels["firedrill.beside"].as_str(), labels["firedrill.run"].as_str()), ("abc", "r1"));
    }

    #[test]
    fn an_engine_of_another_architecture_is_told_before_anything_is_loaded() {
        assert!(fits(image::architecture()).is_ok());
        assert!(fits("s390x").unwrap_err().to_string().contains("built for s390x"));
    }
}
