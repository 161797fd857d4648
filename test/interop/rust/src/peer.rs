//! What this end implements of torture.capnp.

use crate::wire::{request, In, Out, RESOLVER, TORTURE};
use capnp::capability::{Client, FromClientHook, FromServer, Params, Promise, Results, Server};
use capnp::private::capability::ClientHook;
use capnp::{any_pointer, Error, ErrorKind};
use futures::channel::oneshot;
use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// What the objects of one connection share.
#[derive(Default)]
pub struct Counters {
    pub alive: Cell<u32>,
    pub canceled: Cell<u32>,
}

/// A client of no known type, which any server can be made to.
pub struct Untyped(pub Client);

impl FromClientHook for Untyped {
    fn new(hook: Box<dyn ClientHook>) -> Self {
        Untyped(Client::new(hook))
    }
}

/// What generated code would dispatch with.
pub struct Dispatch<S>(S);

impl<S> Deref for Dispatch<S> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S> DerefMut for Dispatch<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.0
    }
}

impl<S: Server> Server for Dispatch<S> {
    fn dispatch_call(
        &mut self,
        interface: u64,
        method: u16,
        params: Params<any_pointer::Owned>,
        results: Results<any_pointer::Owned>,
    ) -> Promise<(), Error> {
        self.0.dispatch_call(interface, method, params, results)
    }
}

impl<S: Server + 'static> FromServer<S> for Untyped {
    type Dispatch = Dispatch<S>;
    fn from_server(server: S) -> Dispatch<S> {
        Dispatch(server)
    }
}

pub fn client_of<S: Server + 'static>(server: S) -> Client {
    capnp_rpc::new_client::<Untyped, S>(server).0
}

/// A capability that is a promise, and what resolves it.
pub fn promised() -> (Client, oneshot::Sender<Result<Client, Error>>) {
    let (sender, receiver) = oneshot::channel::<Result<Client, Error>>();
    let resolved = Promise::from_future(async move {
        receiver.await.unwrap_or_else(|_| Err(Error::failed("nobody resolves this promise any more".into())))
    });
    (capnp_rpc::new_promise_client::<Untyped, _>(resolved).0, sender)
}

struct ResolverImpl {
    sender: Option<oneshot::Sender<Result<Client, Error>>>,
}

impl Server for ResolverImpl {
    fn dispatch_call(
        &mut self,
        interface: u64,
        method: u16,
        params: Params<any_pointer::Owned>,
        mut results: Results<any_pointer::Owned>,
    ) -> Promise<(), Error> {
        let outcome = (|| {
            let params: In = params.get()?.get_as()?;
            let resolution = match (interface, method) {
                (RESOLVER, 0) => Ok(params.required_cap(0)?),
                (RESOLVER, 1) => Err(Error::failed(params.text(0)?.to_string())),
                _ => return Err(unknown(interface, method)),
            };
            if let Some(sender) = self.sender.take() {
                // The promise may have been dropped, and then nobody is to be told.
                let _ = sender.send(resolution);
            }
            let _: Out<0, 0> = results.get().init_as();
            Ok(())
        })();
        match outcome {
            Ok(()) => Promise::ok(()),
            Err(error) => Promise::err(error),
        }
    }
}

pub struct TortureImpl {
    counters: Rc<Counters>,
    depth: u32,
    calls: u32,
    written_bytes: u64,
    writes: u32,
    held: Option<Client>,
}

impl TortureImpl {
    pub fn new(counters: Rc<Counters>, depth: u32) -> Self {
        if depth > 0 {
            counters.alive.set(counters.alive.get() + 1);
        }
        TortureImpl { counters, depth, calls: 0, written_bytes: 0, writes: 0, held: None }
    }

    fn dispatch(
        &mut self,
        method: u16,
        params: Params<any_pointer::Owned>,
        mut results: Results<any_pointer::Owned>,
    ) -> Result<Promise<(), Error>, Error> {
        let read: In = params.get()?.get_as()?;
        match method {
            // next
            0 => {
                let out: Out<1, 1> = results.get().init_as();
                out.set_cap(0, &client_of(TortureImpl::new(self.counters.clone(), self.depth + 1)));
                out.set_u32(0, self.depth + 1);
            }
            // order
            1 => {
                let out: Out<1, 0> = results.get().init_as();
                out.set_u32(0, self.calls);
                self.calls += 1;
            }
            // echo
            2 => {
                let out: Out<0, 1> = results.get().init_as();
                if let Some(cap) = read.cap(0)? {
                    out.set_cap(0, &cap);
                }
            }
            // promise
            3 => {
                let (cap, sender) = promised();
                let out: Out<0, 2> = results.get().init_as();
                out.set_cap(0, &cap);
                out.set_cap(1, &client_of(ResolverImpl { sender: Some(sender) }));
            }
            // hold
            4 => {
                self.held = read.cap(0)?;
                let _: Out<0, 0> = results.get().init_as();
            }
            // held
            5 => {
                let out: Out<0, 1> = results.get().init_as();
                if let Some(cap) = &self.held {
                    out.set_cap(0, cap);
                }
            }
            // letGo
            6 => {
                self.held = None;
                let _: Out<0, 0> = results.get().init_as();
            }
            // callHeld
            7 => {
                let held = self.held.as_ref().ok_or_else(|| Error::failed("nothing is held".into()))?;
                let promise = request::<0, 0>(held, TORTURE, 1, |_| {}).send().promise;
                return Ok(Promise::from_future(async move {
                    let response = promise.await?;
                    let read: In = response.get()?.get_as()?;
                    let out: Out<1, 0> = results.get().init_as();
                    out.set_u32(0, read.u32(0));
                    Ok(())
                }));
            }
            // tailOrder: passed on, as this version of the library panics at tail calls of remote callers
            8 => {
                let promise = request::<0, 0>(&read.required_cap(0)?, TORTURE, 1, |_| {}).send().promise;
                return Ok(Promise::from_future(async move {
                    let response = promise.await?;
                    let read: In = response.get()?.get_as()?;
                    let out: Out<1, 0> = results.get().init_as();
                    out.set_u32(0, read.u32(0));
                    Ok(())
                }));
            }
            // tailNext, in the same way
            9 => {
                let promise = request::<0, 0>(&read.required_cap(0)?, TORTURE, 0, |_| {}).send().promise;
                return Ok(Promise::from_future(async move {
                    let response = promise.await?;
                    let read: In = response.get()?.get_as()?;
                    let out: Out<1, 1> = results.get().init_as();
                    out.set_cap(0, &read.required_cap(0)?);
                    out.set_u32(0, read.u32(0));
                    Ok(())
                }));
            }
            // never
            10 => {
                struct Watch(Rc<Counters>);
                impl Drop for Watch {
                    fn drop(&mut self) {
                        self.0.canceled.set(self.0.canceled.get() + 1);
                    }
                }
                let held = read.cap(0)?;
                let watch = Watch(self.counters.clone());
                return Ok(Promise::from_future(async move {
                    let _watch = watch;
                    let _held = held;
                    let _results = results;
                    futures::future::pending::<()>().await;
                    Ok(())
                }));
            }
            // canceled
            11 => {
                let out: Out<1, 0> = results.get().init_as();
                out.set_u32(0, self.counters.canceled.get());
            }
            // write
            12 => {
                let length = read.data(0)?.len();
                if length == 0 {
                    return Err(Error::failed("nothing to write".into()));
                }
                self.written_bytes += length as u64;
                self.writes += 1;
                let _: Out<0, 0> = results.get().init_as();
            }
            // written
            13 => {
                let out: Out<2, 0> = results.get().init_as();
                out.set_u64(0, self.written_bytes);
                out.set_u32(2, self.writes);
            }
            // throw
            14 => {
                let kind = match read.u16(0) {
                    0 => ErrorKind::Failed,
                    1 => ErrorKind::Overloaded,
                    2 => ErrorKind::Disconnected,
                    _ => ErrorKind::Unimplemented,
                };
                return Err(Error { kind, description: read.text(0)?.to_string() });
            }
            // null
            15 => {
                let _: Out<0, 1> = results.get().init_as();
            }
            // broken
            16 => {
                let (cap, sender) = promised();
                let _ = sender.send(Err(Error::failed("broken as asked".into())));
                let out: Out<0, 1> = results.get().init_as();
                out.set_cap(0, &cap);
            }
            // alive
            17 => {
                let out: Out<1, 0> = results.get().init_as();
                out.set_u32(0, self.counters.alive.get());
            }
            _ => return Err(unknown(TORTURE, method)),
        }
        Ok(Promise::ok(()))
    }
}

impl Drop for TortureImpl {
    fn drop(&mut self) {
        if self.depth > 0 {
            self.counters.alive.set(self.counters.alive.get() - 1);
        }
    }
}

impl Server for TortureImpl {
    fn dispatch_call(
        &mut self,
        interface: u64,
        method: u16,
        params: Params<any_pointer::Owned>,
        results: Results<any_pointer::Owned>,
    ) -> Promise<(), Error> {
        if interface != TORTURE {
            return Promise::err(unknown(interface, method));
        }
        match self.dispatch(method, params, results) {
            Ok(promise) => promise,
            Err(error) => Promise::err(error),
        }
    }
}

fn unknown(interface: u64, method: u16) -> Error {
    Error::unimplemented(format!("there is no method {} of {:#x} here", method, interface))
}
