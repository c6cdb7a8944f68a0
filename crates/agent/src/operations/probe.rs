//! Readiness of a service: its probe, or a short look at whether it stays up.

use std::time::Duration;

use testudo_core::plan::{Probe, ProbeAction};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use crate::{
    processes::Processes,
    sys::{self, Caller, Exit},
    unit::{Input, Pace},
};

/// How long a service without a probe is watched before it counts as ready.
const SETTLE: Duration = Duration::from_secs(2);

/// Watches one start of a service until it is ready.
pub(crate) struct Watch {
    pub(crate) inbox: mpsc::UnboundedSender<Input>,
    pub(crate) processes: Processes,
    pub(crate) caller: Caller,
    pub(crate) probe: Option<Probe>,
    pub(crate) address: String,
    pub(crate) activity: u64,
    pub(crate) pace: Pace,
}

impl Watch {
    pub(crate) async fn run(mut self) {
        match self.probe.take() {
            None => self.pace.pass(SETTLE).await,
            Some(probe) => self.wait(&probe).await,
        }
        let _ = self.inbox.send(Input::Ready(self.activity));
    }

    /// Returns after enough successes in a row. Failures before that end nothing.
    async fn wait(&mut self, probe: &Probe) {
        // Quick looks at first: most services are up long before a whole period has passed.
        let period = Duration::from_secs(probe.period);
        let mut pause = Duration::from_millis(50);
        let mut successes = 0;
        self.pace.pass(Duration::from_secs(probe.initial_delay)).await;
        loop {
            if self.inbox.is_closed() {
                return;
            }
            // A service that stands still may seem to answer: its kernel does.
            self.pace.moves().await;
            let mut pace = self.pace.clone();
            let well = tokio::select! {
                well = self.look(&probe.action) => well,
                () = pace.pass(Duration::from_secs(probe.timeout)) => false,
            };
            successes = if well { successes + 1 } else { 0 };
            if successes >= probe.success_threshold {
                return;
            }
            self.pace.pass(pause).await;
            pause = (pause * 2).min(period);
        }
    }

    async fn look(&self, action: &ProbeAction) -> bool {
        match action {
            ProbeAction::Exec { command } => self.exec(command).await,
            // Of an encrypted server it is enough that it answers: certificates are not looked at here.
            ProbeAction::TcpSocket { host, port } | ProbeAction::HttpGet { host, port, tls: true, .. } => {
                TcpStream::connect((host.as_deref().unwrap_or(&self.address), *port)).await.is_ok()
            }
            ProbeAction::HttpGet { host, port, path, headers, tls: false } => {
                let host = host.as_deref().unwrap_or(&self.address);
                http_get(host, *port, path, headers).await.is_some_and(|status| (200..400).contains(&status))
            }
            ProbeAction::Grpc { port, .. } => TcpStream::connect((self.address.as_str(), *port)).await.is_ok(),
        }
    }

    async fn exec(&self, command: &[String]) -> bool {
        let Some((program, args)) = command.split_first() else { return false };
        let mut process = std::process::Command::new(program);
        process.args(args).current_dir("/");
        sys::prepare(&mut process, self.caller, Vec::new());
        let Ok(mut started) = self.processes.start(process) else { return false };
        let mut buffer = vec![0; 4096];
        loop {
            tokio::select! {
                read = started.output.read(&mut buffer) => {
                    if matches!(read, Ok(0) | Err(_)) {
                        return (&mut started.exit).await == Ok(Ok(Exit::Code(0)));
                    }
                }
                exit = &mut started.exit => return exit == Ok(Ok(Exit::Code(0))),
            }
        }
    }
}

/// The status that a plain GET is answered with.
async fn http_get(host: &str, port: u16, path: &str, headers: &[(String, String)]) -> Option<u16> {
    let mut stream = TcpStream::connect((host, port)).await.ok()?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\nUser-Agent: testudo-probe\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = format!("{request}Host: {host}:{port}\r\n");
    }
    for (name, value) in headers {
        request = format!("{request}{name}: {value}\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut start = Vec::new();
    let mut buffer = [0; 256];
    while !start.contains(&b'\n') && start.len() < 4096 {
        match stream.read(&mut buffer).await.ok()? {
            0 => break,
            length => start.extend_from_slice(&buffer[..length]),
        }
    }
    let line = String::from_utf8_lossy(&start);
    line.split_whitespace().nth(1)?.parse().ok()
}
