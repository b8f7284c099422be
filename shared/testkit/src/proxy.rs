use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

const CHUNK_BYTES: usize = 16 << 10;

/// What a proxy does with what passes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Each piece of an answer comes that much later.
    Delay(Duration),
    /// Nothing passes, in either direction, until the mode changes.
    Hang,
    /// Connections are closed, new ones at once.
    Close,
}

/// A TCP proxy in front of a server, to make it slow, silent or dead at run time, with
/// connections already made included.
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    _accepting: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Listens on a free port of the loopback interface.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (mode, modes) = watch::channel(Mode::Pass);
        let accepting = tokio::spawn(accept(listener, upstream, modes));
        Self { address, mode, _accepting: AbortOnDropHandle::new(accepting) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://host:port` of the proxy.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, modes: watch::Receiver<Mode>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                connections.spawn(connection(client, upstream, modes.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Ends with either side, or with `Mode::Close`; dropping the sockets closes them.
async fn connection(client: TcpStream, upstream: SocketAddr, mut modes: watch::Receiver<Mode>) {
    if *modes.borrow() == Mode::Close {
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let asked = pump(from_client, to_server, modes.clone(), false);
    let answered = pump(from_server, to_client, modes.clone(), true);
    tokio::select! {
        _ = asked => {}
        _ = answered => {}
        _ = modes.wait_for(|mode| *mode == Mode::Close) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    is_answer: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let passing = modes.wait_for(|mode| *mode != Mode::Hang).await;
        let mode = *passing.map_err(io::Error::other)?;
        if let (Mode::Delay(time), true) = (mode, is_answer) {
            sleep(time).await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}
