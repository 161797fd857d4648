//! What this end does to the other one. Each check leaves nothing behind.

use crate::peer::{client_of, promised, Counters, TortureImpl};
use crate::wire::{call, pipelined, In, Out, RESOLVER, TORTURE};
use capnp::capability::{Client, Promise, RemotePromise};
use capnp::{any_pointer, Error, ErrorKind};
use futures::future::try_join_all;
use std::rc::Rc;

type Any = any_pointer::Owned;
type Checked = Result<(), Error>;

fn no_params(_: Out<'_, 0, 0>) {}

fn fail<T>(text: String) -> Result<T, Error> {
    Err(Error::failed(text))
}

fn ensure(holds: bool, what: &str) -> Checked {
    if holds {
        Ok(())
    } else {
        fail(format!("does not hold: {}", what))
    }
}

fn order(target: &Client) -> Promise<u32, Error> {
    let promise = call(target, TORTURE, 1, no_params).promise;
    Promise::from_future(async move {
        let response = promise.await?;
        let read: In = response.get()?.get_as()?;
        Ok(read.u32(0))
    })
}

async fn in_order(calls: Vec<Promise<u32, Error>>) -> Checked {
    let count = calls.len() as u32;
    let numbers = try_join_all(calls).await?;
    ensure(numbers == (0..count).collect::<Vec<_>>(), &format!("the order of {:?}", numbers))
}

async fn number_of(promise: RemotePromise<Any>) -> Result<u32, Error> {
    let response = promise.promise.await?;
    let read: In = response.get()?.get_as()?;
    Ok(read.u32(0))
}

async fn failure<T>(promise: impl std::future::Future<Output = Result<T, Error>>, kind: ErrorKind, text: &str) -> Checked {
    match promise.await {
        Ok(_) => fail("this should have failed".into()),
        Err(error) => ensure(error.kind == kind && error.description.contains(text), &format!("{:?} as {:?}", error, text)),
    }
}

pub struct Checks {
    pub peer: Client,
    pub own: Rc<Counters>,
}

impl Checks {
    fn plain(&self, method: u16) -> RemotePromise<Any> {
        call(&self.peer, TORTURE, method, no_params)
    }

    fn with_cap(&self, method: u16, cap: &Client) -> RemotePromise<Any> {
        call(&self.peer, TORTURE, method, |params: Out<0, 1>| params.set_cap(0, cap))
    }

    fn fresh(&self) -> Client {
        pipelined(&self.plain(0), 0)
    }

    fn local(&self) -> Client {
        client_of(TortureImpl::new(self.own.clone(), 1))
    }

    async fn done(&self, promise: RemotePromise<Any>) -> Checked {
        promise.promise.await.map(|_| ())
    }

    async fn resolve(&self, resolver: &Client, cap: &Client) -> Checked {
        self.done(call(resolver, RESOLVER, 0, |params: Out<0, 1>| params.set_cap(0, cap))).await
    }

    async fn chain(&self) -> Checked {
        let mut last = self.peer.clone_client();
        for _ in 0..49 {
            last = pipelined(&call(&last, TORTURE, 0, no_params), 0);
        }
        ensure(number_of(call(&last, TORTURE, 0, no_params)).await? == 50, "the depth")
    }

    async fn ordered(&self) -> Checked {
        let target = self.fresh();
        in_order((0..100).map(|_| order(&target)).collect()).await
    }

    async fn embargo(&self) -> Checked {
        let mine = self.local();
        let echo = self.with_cap(2, &mine);
        let promise = pipelined(&echo, 0);
        let mut calls: Vec<_> = (0..10).map(|_| order(&promise)).collect();
        let response = echo.promise.await?;
        let read: In = response.get()?.get_as()?;
        let back = read.required_cap(0)?;
        calls.extend((0..10).map(|_| order(&promise)));
        in_order(calls).await?;
        ensure(order(&back).await? == 20, "another reference")
    }

    async fn peer_promise_to_peer(&self) -> Checked {
        let made = self.plain(3);
        let (cap, resolver) = (pipelined(&made, 0), pipelined(&made, 1));
        let mut calls: Vec<_> = (0..5).map(|_| order(&cap)).collect();
        self.resolve(&resolver, &self.fresh()).await?;
        calls.extend((0..5).map(|_| order(&cap)));
        in_order(calls).await
    }

    async fn peer_promise_to_us(&self) -> Checked {
        let made = self.plain(3);
        let (cap, resolver) = (pipelined(&made, 0), pipelined(&made, 1));
        let mut calls: Vec<_> = (0..5).map(|_| order(&cap)).collect();
        self.resolve(&resolver, &self.local()).await?;
        calls.extend((0..5).map(|_| order(&cap)));
        self.done(self.plain(11)).await?;
        calls.extend((0..5).map(|_| order(&cap)));
        in_order(calls).await
    }

    async fn peer_promise_breaks(&self) -> Checked {
        let made = self.plain(3);
        let (cap, resolver) = (pipelined(&made, 0), pipelined(&made, 1));
        let early = order(&cap);
        self.done(call(&resolver, RESOLVER, 1, |params: Out<0, 1>| params.set_text(0, "as told"))).await?;
        failure(early, ErrorKind::Failed, "as told").await?;
        failure(order(&cap), ErrorKind::Failed, "as told").await
    }

    async fn our_promise_to_peer(&self) -> Checked {
        let (cap, sender) = promised();
        self.done(self.with_cap(4, &cap)).await?;
        let (first, second) = (self.plain(7), self.plain(7));
        ensure(sender.send(Ok(self.fresh())).is_ok(), "the promise is held")?;
        ensure(number_of(first).await? == 0, "the first call")?;
        ensure(number_of(second).await? == 1, "the second call")?;
        ensure(number_of(self.plain(7)).await? == 2, "the third call")?;
        self.done(self.plain(6)).await
    }

    async fn our_promise_to_us(&self) -> Checked {
        let (cap, sender) = promised();
        self.done(self.with_cap(4, &cap)).await?;
        let first = self.plain(7);
        ensure(sender.send(Ok(self.local())).is_ok(), "the promise is held")?;
        ensure(number_of(first).await? == 0, "the first call")?;
        ensure(number_of(self.plain(7)).await? == 1, "the second call")?;
        self.done(self.plain(6)).await
    }

    async fn our_promise_breaks(&self) -> Checked {
        let (cap, sender) = promised();
        self.done(self.with_cap(4, &cap)).await?;
        let call = self.plain(7);
        let _ = sender.send(Err(Error::overloaded("too much here".into())));
        failure(number_of(call), ErrorKind::Overloaded, "too much here").await?;
        self.done(self.plain(6)).await
    }

    async fn tail_to(&self, callee: Client) -> Checked {
        for n in 0..3 {
            ensure(number_of(self.with_cap(8, &callee)).await? == n, "the count")?;
        }
        Ok(())
    }

    async fn tail_pipeline(&self) -> Checked {
        let promise = self.with_cap(9, &self.local());
        let next = pipelined(&promise, 0);
        let early = order(&next);
        let response = promise.promise.await?;
        let read: In = response.get()?.get_as()?;
        ensure(read.u32(0) == 2, "the depth")?;
        ensure(early.await? == 0, "the call on the promise")?;
        ensure(order(&read.required_cap(0)?).await? == 1, "the call on the result")?;
        ensure(order(&next).await? == 2, "the second call on the promise")
    }

    async fn given_up(&self) -> Checked {
        let before = number_of(self.plain(11)).await?;
        {
            let _call = self.with_cap(10, &self.local());
            // The peer has it before it is canceled.
            self.done(self.plain(11)).await?;
        }
        let mut tries = 0;
        while number_of(self.plain(11)).await? != before + 1 || self.own.alive.get() != 0 {
            tries += 1;
            ensure(tries < 1000, "canceled, and our object released")?;
        }
        Ok(())
    }

    async fn many_times(&self) -> Checked {
        let mine = self.local();
        for _ in 0..20 {
            self.done(self.with_cap(4, &mine)).await?;
        }
        ensure(order(&pipelined(&self.plain(5), 0)).await? == 0, "the first call")?;
        self.done(self.plain(6)).await?;
        ensure(order(&mine).await? == 1, "the second call")
    }

    fn write(&self, target: &Client, data: &[u8]) -> RemotePromise<Any> {
        call(target, TORTURE, 12, |params: Out<0, 1>| params.set_data(0, data))
    }

    /// Without flow control, which this version of the library does not have: the calls of a stream are calls.
    async fn stream(&self) -> Checked {
        let target = self.fresh();
        let writes: Vec<_> = (0..200).map(|_| self.write(&target, &[7; 4000]).promise).collect();
        try_join_all(writes).await?;
        let response = call(&target, TORTURE, 13, no_params).promise.await?;
        let read: In = response.get()?.get_as()?;
        ensure(read.u64(0) == 800_000 && read.u32(2) == 200, "all of it came")
    }

    async fn stream_fails(&self) -> Checked {
        let target = self.fresh();
        failure(self.done(self.write(&target, &[])), ErrorKind::Failed, "nothing to write").await
    }

    async fn exceptions(&self) -> Checked {
        let kinds = [ErrorKind::Failed, ErrorKind::Overloaded, ErrorKind::Disconnected, ErrorKind::Unimplemented];
        for (number, text) in ["a failure", "too much", "gone", "not known"].iter().enumerate() {
            let promise = call(&self.peer, TORTURE, 14, |params: Out<1, 1>| {
                params.set_u16(0, number as u16);
                params.set_text(0, text);
            });
            failure(self.done(promise), kinds[number], text).await?;
        }
        Ok(())
    }

    async fn null(&self) -> Checked {
        let promise = self.plain(15);
        let early = order(&pipelined(&promise, 0));
        let response = promise.promise.await?;
        let read: In = response.get()?.get_as()?;
        ensure(read.cap(0)?.is_none(), "it is null")?;
        failure(early, ErrorKind::Failed, "").await
    }

    async fn broken(&self) -> Checked {
        let promise = self.plain(16);
        let early = order(&pipelined(&promise, 0));
        let response = promise.promise.await?;
        let read: In = response.get()?.get_as()?;
        failure(early, ErrorKind::Failed, "broken as asked").await?;
        failure(order(&read.required_cap(0)?), ErrorKind::Failed, "broken as asked").await
    }

    async fn nothing_left(&self) -> Checked {
        let mut tries = 0;
        while number_of(self.plain(17)).await? != 0 || self.own.alive.get() != 0 {
            tries += 1;
            ensure(tries < 1000, "all objects are released")?;
        }
        Ok(())
    }

    pub async fn run(&self) -> Checked {
        report("a chain of 50 pipelined calls", self.chain().await)?;
        report("calls arrive in the order in which they were made", self.ordered().await)?;
        report("calls through a promise that turns out to be ours stay in order", self.embargo().await)?;
        report("a promise of the peer resolves to an object of the peer", self.peer_promise_to_peer().await)?;
        report("a promise of the peer resolves to an object of ours", self.peer_promise_to_us().await)?;
        report("a promise of the peer breaks", self.peer_promise_breaks().await)?;
        report("a promise of ours resolves to an object of the peer", self.our_promise_to_peer().await)?;
        report("a promise of ours resolves to an object of ours", self.our_promise_to_us().await)?;
        report("a promise of ours breaks", self.our_promise_breaks().await)?;
        report("tail calls to an object of the peer", self.tail_to(self.fresh()).await)?;
        report("tail calls to an object of ours", self.tail_to(self.local()).await)?;
        report("a call on the results of a tail call to an object of ours", self.tail_pipeline().await)?;
        report("a call that is given up", self.given_up().await)?;
        report("one capability, sent many times", self.many_times().await)?;
        report("a stream of 200 writes, and an ordinary call after it", self.stream().await)?;
        report("a stream that fails", self.stream_fails().await)?;
        report("exceptions of every kind", self.exceptions().await)?;
        report("a null capability", self.null().await)?;
        report("a broken capability", self.broken().await)?;
        report("nothing is left on either side", self.nothing_left().await)
    }
}

fn report(name: &str, outcome: Checked) -> Checked {
    match outcome {
        Ok(()) => {
            println!("ok {}", name);
            Ok(())
        }
        Err(error) => fail(format!("{}: {}", name, error)),
    }
}

trait CloneClient {
    fn clone_client(&self) -> Client;
}

impl CloneClient for Client {
    fn clone_client(&self) -> Client {
        Client::new(self.hook.clone())
    }
}
