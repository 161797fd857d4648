import { expect } from "chai";
import { CapnpError } from "../../../lib/errors.ts";
import {
  copyIntoMembrane,
  copyOutOfMembrane,
  type MembranePolicy,
  membrane,
  reverseMembrane,
} from "../../../lib/membrane.ts";
import { release } from "../../../lib/release.ts";
import { Client } from "../../../lib/rpc/capability/client.ts";
import { innermost } from "../../../lib/rpc/capability/client-hook.ts";
import { type Loose, loadLoosely } from "../../support/loose.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

const { Thing, Workshop, Crate } = loadLoosely("test/fixtures/capability-test.capnp");

const makeThing = (servers: Servers, text: string): Loose =>
  servers.make({ passThrough: () => text, intercept: () => text }, Thing);

/** An object that makes things, calls things that it is given, and gives them back. */
const makeWorkshop = (servers: Servers): Loose => {
  const call = async (context: Loose, method: string) => {
    const { thing, tailCall } = context.params;
    const request = thing[`${method}Request`]();
    if (tailCall) context.tailCall(request);
    else context.results.text = (await request.send()).text;
    thing.release();
  };
  const workshop = servers.make(
    {
      makeThing: () => makeThing(servers, "inside"),
      callPassThrough_context: (context: Loose) => call(context, "passThrough"),
      callIntercept_context: (context: Loose) => call(context, "intercept"),
      loopback: ({ thing }: Loose) => thing,
      waitForever: (_params: Loose, { signal }: Loose) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      collect_context: (context: Loose) => {
        context.results.crate = context.params.crate;
      },
    },
    Workshop,
  );
  return workshop;
};

/** Answers `intercept` itself, whichever way it comes. */
const intercepting = (servers: Servers, more: Partial<MembranePolicy> = {}): MembranePolicy => {
  const redirect = (text: string) => (interfaceId: bigint, methodId: number) =>
    interfaceId === Thing.schema.id && methodId === 1 ? makeThing(servers, text) : undefined;
  return {
    inboundCall: redirect("inbound"),
    outboundCall: redirect("outbound"),
    resolvesBeforeRedirecting: true,
    ...more,
  } as MembranePolicy;
};

interface Scene {
  readonly servers: Servers;
  readonly policy: MembranePolicy;
  /** The workshop, through the membrane. */
  readonly workshop: Loose;
  run<T>(promise: PromiseLike<T>): Promise<T>;
  expectEmpty(): Promise<void>;
}

/** The workshop in this vat. */
const localScene = (more?: Partial<MembranePolicy>): Scene => {
  const servers = new Servers();
  const policy = intercepting(servers, more);
  const inner = new Workshop.Client(makeWorkshop(servers));
  const workshop: Loose = membrane(inner, policy);
  inner.release();
  return {
    servers,
    policy,
    workshop,
    run: (promise) => Promise.resolve(promise),
    expectEmpty: async () => {
      workshop.release();
      await turn();
      servers.expectDisposed();
    },
  };
};

/** The workshop in another vat, which exposes it through the membrane. */
const remoteScene = (more?: Partial<MembranePolicy>): Scene => {
  const servers = new Servers();
  const policy = intercepting(servers, more);
  const inner = new Workshop.Client(makeWorkshop(servers));
  const exposed: Loose = membrane(inner, policy);
  inner.release();
  const vats = new Vats({ servers, b: { bootstrap: exposed } });
  const workshop = bootstrapOf(vats.a, Workshop);
  return {
    servers,
    policy,
    workshop,
    run: async (promise) => {
      await vats.settle();
      return promise;
    },
    expectEmpty: async () => {
      for (const client of [workshop, exposed]) client.release();
      await vats.expectEmpty();
    },
  };
};

type Keep = <T extends Disposable>(it: T) => T;

/**
 * What calls on a thing say, made from outside and by the workshop, and whether by a tail call or not. What `thing` keeps is
 * disposed after each of them.
 */
const said = async ({ workshop, run }: Scene, thing: (keep: Keep) => Promise<Loose>): Promise<string[]> => {
  const texts: string[] = [];
  const kept: Disposable[] = [];
  const keep: Keep = (it) => {
    kept.push(it);
    return it;
  };
  for (const call of [
    (it: Loose) => it.passThrough(),
    (it: Loose) => it.intercept(),
    (it: Loose) => workshop.callPassThrough(it, false),
    (it: Loose) => workshop.callIntercept(it, false),
    (it: Loose) => workshop.callPassThrough(it, true),
    (it: Loose) => workshop.callIntercept(it, true),
  ]) {
    const it = await thing(keep);
    texts.push((await run<Loose>(call(it))).text);
    release(it);
    for (const one of kept.splice(0)) one[Symbol.dispose]();
  }
  return texts;
};

const insideThing = ["inside", "inbound", "inside", "inside", "inside", "inside"];
const outsideThing = ["outside", "outside", "outside", "outbound", "outside", "outbound"];

/** Waits until a promise has resolved, as far as it will. */
const resolved = async (client: Loose, run: Scene["run"]): Promise<void> => {
  await run((async () => {})());
  await turn();
  expect(innermost(Client.hook(client)).isPromise).to.equal(false);
};

const passBack = async ({ workshop, servers, run }: Scene): Promise<Loose> => {
  const outside = new Thing.Client(makeThing(servers, "outside"));
  const call = workshop.loopback(outside);
  outside.release();
  return (await run<Loose>(call)).thing;
};

for (const [where, scene] of [
  ["within a vat", localScene],
  ["between vats", remoteScene],
] as const) {
  describe(`a membrane ${where}`, () => {
    it("lets its policy decide on calls to an object inside", async () => {
      const env = scene();
      const texts = await said(env, async () => (await env.run<Loose>(env.workshop.makeThing())).thing);
      expect(texts).to.deep.equal(insideThing);
      await env.expectEmpty();
    });

    it("lets its policy decide on calls to a promise of an object inside", async () => {
      const env = scene();
      const texts = await said(env, async (keep) => {
        const { thing } = keep<Loose>(env.workshop.makeThing());
        return thing;
      });
      expect(texts).to.deep.equal(insideThing);
      await env.expectEmpty();
    });

    it("lets its policy decide on calls to a promise of an object inside that has resolved", async () => {
      const env = scene();
      const texts = await said(env, async (keep) => {
        const { thing } = keep<Loose>(env.workshop.makeThing());
        await resolved(thing, env.run);
        return thing;
      });
      expect(texts).to.deep.equal(insideThing);
      await env.expectEmpty();
    });

    it("lets its policy decide on calls from inside to an object outside", async () => {
      const env = scene();
      const texts = await said(env, async () => new Thing.Client(makeThing(env.servers, "outside")));
      expect(texts).to.deep.equal(outsideThing);
      await env.expectEmpty();
    });

    it("is around what a call that is sent for its pipeline leads to", async () => {
      const { workshop, run, expectEmpty } = scene();
      const pipeline = workshop.makeThingRequest().sendForPipeline();
      expect((await run<Loose>(pipeline.thing.intercept())).text).to.equal("inbound");
      expect((await run<Loose>(pipeline.thing.passThrough())).text).to.equal("inside");
      pipeline[Symbol.dispose]();
      await expectEmpty();
    });

    it("gives back what has passed into it and out again", async () => {
      const env = scene();
      expect(await said(env, () => passBack(env))).to.deep.equal(outsideThing);
      await env.expectEmpty();
    });

    it("does not redirect calls on a promise that turns out to lead out again", async () => {
      const env = scene();
      const texts = await said(env, async (keep) => {
        const outside = new Thing.Client(makeThing(env.servers, "outside"));
        const { thing } = keep<Loose>(env.workshop.loopback(outside));
        outside.release();
        return thing;
      });
      expect(texts).to.deep.equal(outsideThing);
      await env.expectEmpty();
    });

    it("when it is revoked, fails the calls through it, now and later, and lets go of what is behind it", async () => {
      const abort = new AbortController();
      const env = scene({ onRevoked: abort.signal });
      const { workshop } = env;
      const { thing } = await env.run<Loose>(workshop.makeThing());
      const waiting = workshop.waitForever();
      await env.run(turn());
      abort.abort(new CapnpError("CAPNP_DISCONNECTED", "foobar"));
      for (const call of [waiting, workshop.makeThing(), thing.passThrough(), waiting.thing.passThrough()]) {
        const error = await env.run(rejection(call));
        expect(error.message).to.match(/^(remote exception: )?foobar$/);
        expect(error.kind).to.equal("disconnected");
      }
      waiting[Symbol.dispose]();
      release(thing);
      await env.expectEmpty();
    });

    it("takes capabilities in lists, groups and AnyPointers across", async () => {
      const env = scene();
      const things = ["a", "b", "c", "d"].map((text) => new Thing.Client(makeThing(env.servers, text)));
      const crate = Crate.newMessage({ thing: things[0], things: [things[1], null], group: { thing: things[2] } });
      crate.any.set(things[3]);
      const call = env.workshop.collect(crate);
      release(crate);
      for (const thing of things) thing.release();
      const back = (await env.run<Loose>(call)).crate;
      const all = [back.thing, back.things[0], back.group.thing, back.any.as(Thing)];
      for (const [i, thing] of all.entries()) {
        expect((await env.run<Loose>(thing.intercept())).text).to.equal("abcd"[i]);
        thing.release();
      }
      expect(back.things[1]).to.equal(null);
      await env.expectEmpty();
    });
  });
}

describe("a membrane", () => {
  for (const [title, copied] of [
    [
      "is applied to the capabilities of a struct that is copied out of it",
      (thing: Loose, policy: MembranePolicy) => {
        const crate = Crate.newMessage({ thing });
        return { from: crate, copy: copyOutOfMembrane(crate, policy) as Loose, read: (copy: Loose) => copy.thing };
      },
    ],
    [
      "is applied to the capabilities of a list that is copied out of it",
      (thing: Loose, policy: MembranePolicy) => {
        const crate = Crate.newMessage({ things: [thing] });
        const copy: Loose = copyOutOfMembrane(crate.things, policy);
        return { from: crate, copy, read: (list: Loose) => list[0] };
      },
    ],
    [
      "is applied to the capabilities of an AnyPointer that is copied out of it",
      (thing: Loose, policy: MembranePolicy) => {
        const crate = Crate.newMessage();
        crate.any.set(thing);
        const copy: Loose = copyOutOfMembrane(crate.any, policy);
        return { from: crate, copy, read: (any: Loose) => any.as(Thing) };
      },
    ],
  ] as const) {
    it(title, async () => {
      const env = localScene();
      const texts = await said(env, async () => {
        const inside = new Thing.Client(makeThing(env.servers, "inside"));
        const { from, copy, read } = copied(inside, env.policy);
        inside.release();
        release(from);
        const thing = read(copy);
        release(copy);
        return thing;
      });
      expect(texts).to.deep.equal(insideThing);
      await env.expectEmpty();
    });
  }

  it("is applied to the capabilities of what is copied into it", async () => {
    const env = localScene();
    const outside = new Thing.Client(makeThing(env.servers, "outside"));
    const crate = Crate.newMessage({ thing: outside, things: [outside] });
    const copy: Loose = copyIntoMembrane(crate.asReader(), env.policy);
    expect((await copy.thing.intercept()).text).to.equal("outbound");
    expect((await copy.things[0].passThrough()).text).to.equal("outside");
    for (const one of [copy.thing, copy.things[0], copy, crate, outside]) release(one);
    await env.expectEmpty();
  });

  it("has one wrapper for a capability however often it crosses, also as a promise that resolves", async () => {
    const servers = new Servers();
    const policy = intercepting(servers);
    let resolve: (client: Loose) => void = () => undefined;
    const promised = new Thing.Client(
      new Promise((fulfil) => {
        resolve = fulfil;
      }),
    );
    const wrappers = [membrane(promised, policy), membrane(promised, policy)];
    expect(Client.hook(wrappers[0]!)).to.equal(Client.hook(wrappers[1]!));
    const inside = new Thing.Client(makeThing(servers, "inside"));
    resolve(inside);
    await turn();
    const direct: Loose = membrane(inside, policy);
    for (const wrapper of wrappers) expect(innermost(Client.hook(wrapper))).to.equal(Client.hook(direct));
    for (const client of [...wrappers, promised, inside, direct]) release(client);
    const again: Loose = membrane(new Thing.Client(makeThing(servers, "again")), policy);
    expect((await again.passThrough()).text).to.equal("again");
  });

  it("gives the params of a call on a promise over in the order of the calls, whatever comes of the promise", async () => {
    const env = localScene({ resolvesBeforeRedirecting: false });
    const outside = new Thing.Client(makeThing(env.servers, "outside"));
    const loopback = env.workshop.loopback(outside);
    const calls = [loopback.thing.passThrough(), loopback.thing.intercept()];
    expect((await calls[0]).text).to.equal("outside");
    expect((await calls[1]).text).to.equal("outside");
    const promised: Loose = membrane(new Thing.Client(new Promise(() => undefined)), env.policy);
    expect((await promised.intercept()).text, "redirected at once").to.equal("inbound");
    promised.release();
    for (const one of [loopback.thing, loopback, outside]) one[Symbol.dispose]();
    await env.expectEmpty();
  });

  it("delivers calls that waited for a promise, though nobody holds it any more", async () => {
    const env = localScene();
    const outside = new Thing.Client(makeThing(env.servers, "outside"));
    const loopback = env.workshop.loopback(outside);
    outside.release();
    const { thing } = loopback;
    const call = thing.intercept();
    thing.release();
    expect((await call).text).to.equal("outside");
    loopback[Symbol.dispose]();
    await env.expectEmpty();
  });

  it("forgets calls that were given up while they waited for a promise", async function () {
    const gc = globalThis.gc;
    if (gc === undefined) this.skip();
    const inside = new Thing.Client(new Promise(() => undefined));
    const outside = membrane(inside, {});
    const calls: WeakRef<object>[] = [];
    const giveUp = () => {
      for (let i = 0; i < 1000; i++) {
        const call = outside.intercept();
        call.cancel();
        calls.push(new WeakRef(call));
      }
    };
    giveUp();
    for (let i = 0; i < 3; i++) {
      await turn();
      gc();
    }
    // The last ones stay until there are so many that it is worth to look for those that were given up.
    expect(calls.filter((call) => call.deref() !== undefined).length).to.be.lessThan(200);
    for (const client of [outside, inside]) client.release();
  });

  it("leaves null null, and broken capabilities broken", async () => {
    const servers = new Servers();
    const policy = intercepting(servers);
    const broken: Loose = membrane(new Thing.Client(Promise.reject(new Error("no such thing"))), policy);
    expect((await rejection(broken.passThrough())).message).to.equal("no such thing");
    expect((await rejection(broken.intercept())).message).to.equal("no such thing");
    const crate = Crate.newMessage({ things: [null] });
    expect((copyOutOfMembrane(crate, policy) as Loose).things[0]).to.equal(null);
  });

  it("fails a call that its policy refuses by throwing", async () => {
    const servers = new Servers();
    const thing = new Thing.Client(makeThing(servers, "inside"));
    const guarded: Loose = membrane(thing, {
      inboundCall: () => {
        throw new CapnpError("CAPNP_CALL", "not allowed");
      },
    });
    expect((await rejection(guarded.passThrough())).message).to.equal("not allowed");
    for (const client of [guarded, thing]) client.release();
    servers.expectDisposed();
  });

  it("lends its policy the target, which may be kept by castAs", async () => {
    const servers = new Servers();
    const kept: Loose[] = [];
    let lent: Loose;
    const thing = new Thing.Client(makeThing(servers, "inside"));
    const watched: Loose = membrane(thing, {
      inboundCall: (_interfaceId, _methodId, target) => {
        lent = target;
        kept.push(target.castAs(Thing));
      },
    });
    await watched.passThrough();
    expect((await kept[0].passThrough()).text).to.equal("inside");
    expect(() => lent.castAs(Thing)).to.throw("released");
    for (const client of [watched, thing, ...kept]) client.release();
    await turn();
    servers.expectDisposed();
  });

  it("unwraps what another policy of the same root has wrapped, and asks that root for what stands there", async () => {
    const servers = new Servers();
    const passed: unknown[][] = [];
    const rootPolicy: MembranePolicy = {
      importInternal: (internal, exportPolicy, importPolicy) => {
        passed.push(["import", exportPolicy, importPolicy]);
        return internal;
      },
      exportExternal: (external, importPolicy, exportPolicy) => {
        passed.push(["export", importPolicy, exportPolicy]);
        return external;
      },
    };
    const one: MembranePolicy = { rootPolicy };
    const two: MembranePolicy = { rootPolicy };
    const other: MembranePolicy = {};
    const thing = new Thing.Client(makeThing(servers, "inside"));
    const exported: Loose = membrane(thing, one);
    const back: Loose = reverseMembrane(exported, two);
    expect(Client.hook(back)).to.equal(Client.hook(thing));
    const imported: Loose = reverseMembrane(thing, two);
    const out: Loose = membrane(imported, one);
    expect(Client.hook(out)).to.equal(Client.hook(thing));
    expect(passed).to.deep.equal([
      ["import", one, two],
      ["export", two, one],
    ]);
    const foreign: Loose = reverseMembrane(exported, other);
    expect(Client.hook(foreign)).not.to.equal(Client.hook(thing));
    expect((await foreign.passThrough()).text).to.equal("inside");
    for (const client of [thing, exported, back, imported, out, foreign]) client.release();
    await turn();
    servers.expectDisposed();
  });

  it("may put something else in the place of what crosses", async () => {
    const servers = new Servers();
    const policy: MembranePolicy = {
      exportInternal: () => makeThing(servers, "exported"),
      importExternal: () => makeThing(servers, "imported"),
    };
    const thing = new Thing.Client(makeThing(servers, "thing"));
    const exported: Loose = membrane(thing, policy);
    const imported: Loose = reverseMembrane(thing, policy);
    expect((await exported.passThrough()).text).to.equal("exported");
    expect((await imported.passThrough()).text).to.equal("imported");
    for (const client of [thing, exported, imported]) client.release();
    await turn();
    servers.expectDisposed();
  });

  it("breaks what its policy does not let cross, by throwing, and nothing else", async () => {
    const servers = new Servers();
    const refuse = (): never => {
      throw new Error("not this one");
    };
    const workshop = new Workshop.Client(makeWorkshop(servers));
    const outside = new Thing.Client(makeThing(servers, "outside"));
    const guarded: Loose = membrane(workshop, { importExternal: refuse, exportExternal: refuse });
    const loopback = guarded.loopback(outside);
    expect((await rejection(loopback.thing.passThrough())).message).to.equal("not this one");
    expect((await rejection((await loopback).thing.passThrough())).message).to.equal("not this one");
    const made = guarded.makeThing();
    expect((await made.thing.passThrough()).text).to.equal("inside");
    for (const one of [made, loopback, guarded, workshop, outside]) one[Symbol.dispose]();
    await turn();
    servers.expectDisposed();
  });

  it("is put on a server object as on a client, with its class", async () => {
    const servers = new Servers();
    const policy: MembranePolicy = {};
    const exported: Loose = membrane(makeThing(servers, "inside"), policy);
    expect(exported).to.be.instanceOf(Thing.Client);
    expect((await exported.passThrough()).text).to.equal("inside");
    exported.release();
    servers.expectDisposed();
  });

  it("that is revoked by a promise gives the reason, whether it rejects or resolves", async () => {
    for (const settle of ["reject", "resolve", "abort"]) {
      const servers = new Servers();
      let revoke: () => void = () => undefined;
      const abort = new AbortController();
      const onRevoked =
        settle === "abort"
          ? abort.signal
          : new Promise<void>((resolve, reject) => {
              revoke = () => (settle === "reject" ? reject(new Error("over")) : resolve());
            });
      const thing = new Thing.Client(makeThing(servers, "inside"));
      const guarded: Loose = membrane(thing, { onRevoked });
      thing.release();
      expect((await guarded.passThrough()).text).to.equal("inside");
      if (settle === "abort") abort.abort();
      revoke();
      await turn();
      const error = await rejection(guarded.passThrough());
      if (settle === "reject") expect(error.message).to.equal("over");
      else expect(error.code).to.equal("CAPNP_REVOKED");
      servers.expectDisposed();
      guarded.release();
    }
  });

  it("that was revoked before it was used lets nothing pass, and still asks its policy", async () => {
    const servers = new Servers();
    const asked: number[] = [];
    const policy: MembranePolicy = {
      onRevoked: AbortSignal.abort(new Error("never")),
      inboundCall: (_interfaceId, methodId) => {
        asked.push(methodId);
      },
    };
    const thing = new Thing.Client(makeThing(servers, "inside"));
    const guarded: Loose = membrane(thing, policy);
    thing.release();
    expect((await rejection(guarded.intercept())).message).to.equal("never");
    expect(asked).to.deep.equal([1]);
    guarded.release();
    servers.expectDisposed();
  });

  it("that is revoked while promises are pending breaks them, and lets go of the calls that wait", async () => {
    const abort = new AbortController();
    const env = localScene({ onRevoked: abort.signal });
    let signaled = false;
    const never = new Thing.Client(new Promise(() => undefined));
    const promised: Loose = membrane(never, env.policy);
    const waiting = [promised.passThrough(), promised.intercept()];
    promised.release();
    const running = env.workshop.waitForever();
    await turn();
    running.catch(() => {
      signaled = true;
    });
    abort.abort("enough");
    for (const call of [...waiting, running]) {
      expect((await rejection(call)).message).to.equal("The capability was revoked: enough.");
    }
    await turn();
    expect(signaled).to.equal(true);
    never.release();
    await env.expectEmpty();
  });

  it("that is revoked cancels what a method inside has passed on", async () => {
    const abort = new AbortController();
    const servers = new Servers();
    let canceled = false;
    const slow = new Workshop.Client(
      servers.make(
        {
          waitForever: (_params: Loose, { signal }: Loose) =>
            new Promise((resolve) => {
              signal.addEventListener("abort", () => {
                canceled = true;
                resolve(null);
              });
            }),
        },
        Workshop,
      ),
    );
    const forwarding = new Workshop.Client(
      servers.make({ waitForever_context: (context: Loose) => context.tailCall(slow.waitForeverRequest()) }, Workshop),
    );
    const guarded: Loose = membrane(forwarding, { onRevoked: abort.signal });
    const call = guarded.waitForever();
    await turn();
    abort.abort(new Error("stop"));
    expect((await rejection(call)).message).to.equal("stop");
    await turn();
    expect(canceled).to.equal(true);
    for (const client of [slow, forwarding, guarded]) client.release();
    await turn();
    servers.expectDisposed();
  });
});
