use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

/// The metrics of a process are served that much above its port, unless told otherwise.
const METRICS: u16 = 1_000;

/// A port of the loopback interface that is free, as is the one 1000 above it.
pub fn free_port() -> u16 {
    free_ports(1)[0]
}

/// `count` different ports, each as from [`free_port`].
pub fn free_ports(count: usize) -> Vec<u16> {
    // Held until all are found, so that none is found twice.
    let mut held = Vec::new();
    let mut ports = Vec::new();
    while ports.len() < count {
        let listener = bind(0).expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        if let Some(Ok(metrics)) = port.checked_add(METRICS).map(bind) {
            held.push(metrics);
            ports.push(port);
        }
        held.push(listener);
    }
    ports
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}
