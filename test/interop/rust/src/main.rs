//! torture-peer serve HOST:PORT
//! torture-peer check HOST:PORT
//!
//! One end of the torture tests. `serve` prints `listening on HOST:PORT` once it accepts connections, and serves until it is
//! killed. `check` does to the server what torture.capnp is for, prints `ok NAME` for each check that holds, and ends with
//! status 1 at the first that does not.

mod checks;
mod peer;
mod wire;

use capnp::capability::Client;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{twoparty, RpcSystem};
use futures::FutureExt;
use peer::{client_of, Counters, TortureImpl, Untyped};
use std::rc::Rc;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

fn system(stream: TcpStream, side: Side, bootstrap: Option<Client>) -> std::io::Result<RpcSystem<Side>> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let network = twoparty::VatNetwork::new(reader.compat(), writer.compat_write(), side, Default::default());
    Ok(RpcSystem::new(Box::new(network), bootstrap))
}

async fn serve(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let bootstrap = client_of(TortureImpl::new(Rc::new(Counters::default()), 0));
        tokio::task::spawn_local(system(stream, Side::Server, Some(bootstrap))?.map(|_| ()));
    }
}

async fn check(address: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut system = system(TcpStream::connect(address).await?, Side::Client, None)?;
    let peer = system.bootstrap::<Untyped>(Side::Server).0;
    let disconnector = system.get_disconnector();
    tokio::task::spawn_local(system.map(|_| ()));
    let checks = checks::Checks { peer, own: Rc::new(Counters::default()) };
    checks.run().await?;
    drop(checks);
    disconnector.await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let local = tokio::task::LocalSet::new();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address] => local.run_until(serve(address)).await,
        ["check", address] => local.run_until(check(address)).await,
        _ => Err("usage: torture-peer serve HOST:PORT | check HOST:PORT".into()),
    }
}
