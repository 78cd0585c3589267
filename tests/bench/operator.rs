//! The operator as its users run it: a child process, watched from outside.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::controlplane::ControlPlane;
use crate::controlplane::process::{Guarded, tail};
use crate::error::Error;
use crate::process::{Usage, usage};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// It rests when it uses no more than a hundredth of a core for so long.
const REST: Duration = Duration::from_secs(2);

/// A running operator.
pub(crate) struct Operator {
    process: Guarded,
    health: SocketAddr,
    /// When it was started.
    pub(crate) began: Timestamp,
    started: Instant,
}

/// How it is started.
pub(crate) struct Program {
    pub(crate) binary: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) log: PathBuf,
}

impl Program {
    /// With the flags' defaults: all namespaces, 64 visits at once, logs as JSON.
    pub(crate) fn start(&self) -> Result<Operator, Error> {
        let health = free_address()?;
        let arguments = [
            format!("--kubeconfig={}", self.kubeconfig.display()),
            format!("--config={}", self.config.display()),
            format!("--health-address={health}"),
            "--metrics-address=127.0.0.1:0".to_owned(),
            "--log-format=json".to_owned(),
        ];
        let (began, started) = (Timestamp::now(), Instant::now());
        let process = Guarded::spawn(&self.binary, &arguments, &[], &self.log);
        let process = process.map_err(Error::io("start the operator"))?;
        Ok(Operator { process, health, began, started })
    }

    /// Where it finds the control plane and the simulator.
    pub(crate) async fn new(binary: &Path, plane: &ControlPlane, config: &str) -> Result<Self, Error> {
        let settings = plane.directory().join("operator.yaml");
        std::fs::write(&settings, config).map_err(Error::io("write the operator's configuration"))?;
        Ok(Self {
            binary: binary.to_owned(),
            kubeconfig: plane.operator_kubeconfig().await?,
            config: settings,
            log: plane.directory().join("operator.log"),
        })
    }
}

fn free_address() -> Result<SocketAddr, Error> {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    taken.and_then(|listener| listener.local_addr()).map_err(Error::io("find a free port"))
}

impl Operator {
    /// What it has used until now.
    pub(crate) fn usage(&self) -> Result<Usage, Error> {
        usage(self.process.id()).map_err(Error::io("read what the operator uses"))
    }

    /// Since it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until it says that it is ready. Returns how long that took since its start.
    pub(crate) async fn ready(&mut self, within: Duration) -> Result<Duration, Error> {
        while self.age() < within {
            self.lives()?;
            if self.says_ready().await.unwrap_or(false) {
                return Ok(self.age());
            }
            sleep(LOOK).await;
        }
        Err(Error::Late("the operator is ready".to_owned()))
    }

    async fn says_ready(&self) -> std::io::Result<bool> {
        let mut connection = TcpStream::connect(self.health).await?;
        connection.write_all(b"GET /readyz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    }

    /// Waits until it rests. Returns how long it has been busy since its start.
    pub(crate) async fn at_rest(&mut self, within: Duration) -> Result<Duration, Error> {
        let (mut since, mut used) = (self.age(), self.usage()?.cpu);
        while self.age() < within {
            self.lives()?;
            sleep(Duration::from_millis(50)).await;
            let now = self.usage()?.cpu;
            if now.saturating_sub(used) > REST / 100 {
                (since, used) = (self.age(), now);
            } else if self.age().saturating_sub(since) > REST {
                return Ok(since);
            }
        }
        Err(Error::Late("the operator rests".to_owned()))
    }

    pub(crate) fn lives(&mut self) -> Result<(), Error> {
        match self.process.ended().map_err(Error::io("look after the operator"))? {
            None => Ok(()),
            Some(_) => Err(Error::Ended(tail(self.process.log()))),
        }
    }

    /// Ends it as the kubelet does.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Error::Late("the operator has an id".to_owned()))?;
        kill_process(pid, Signal::TERM).map_err(|errno| Error::io("end the operator")(errno.into()))?;
        let ended = self.process.wait(Duration::from_secs(30)).map_err(Error::io("end the operator"))?;
        ended.map(drop).ok_or_else(|| Error::Late("the operator ends".to_owned()))
    }
}
