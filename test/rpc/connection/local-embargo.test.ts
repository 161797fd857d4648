import { expect } from "chai";
import { Manual, logger, play, type Scenario, type Waiting } from "../../support/conversation.ts";
import { deferred } from "../../support/nodes.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { bootstrapOf, turn } from "../../support/vats.ts";

const { Node } = testSchema;

const scenarios: Record<string, Scenario> = {
  "keeps the order where an object is given back while calls are on their way": async (c) => {
    const asked = c.ask(c.toServer, logger(c, "mine"));
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    call.reply(call.first);
    await c.some();
    c.order(asked.first, 2);
    return ["mine 1", "mine 2"];
  },

  "keeps the order where the results are those of a call back that has not returned": async (c) => {
    const registry = new Manual(c, "registry");
    const asked = c.ask(c.toServer, registry.object);
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    call.reply(back.first);
    const inner = await c.until(() => registry.next());
    await c.some();
    inner.reply(logger(c, "mine"));
    await c.some();
    c.order(asked.first, 2);
    return ["mine 1", "mine 2"];
  },

  "keeps the order where a promise in the results resolves to the receiver's own object": async (c) => {
    const asked = c.ask(c.toServer, logger(c, "mine"));
    const call = await c.until(() => c.server.next());
    const promise = deferred();
    call.reply(promise.promise);
    await c.some();
    c.order(asked.first, 1);
    await c.some();
    promise.resolve(call.first);
    await c.some();
    c.order(asked.first, 2);
    return ["mine 1", "mine 2"];
  },

  "does not put one on what turns out to hold no capability": async (c) => {
    const asked = c.ask(c.toServer, c.client.object);
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    (await c.until(() => c.client.next())).reply(null, null);
    await turn();
    // The server does not know of the answer yet when it names it; the client, which hears of that, does.
    call.reply(back.second);
    await c.vats.settle();
    expect(c.vats.messages("disembargo")).to.have.lengthOf(0);
    c.order(asked.first, 2);
    return [];
  },

  "puts one on a promise at the peer that was reached by a pipeline when it resolves to an object here": async (c) => {
    const asked = c.ask(c.toServer, logger(c, "mine"));
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    const promise = deferred();
    call.reply(promise.promise);
    await c.vats.settle();
    promise.resolve(call.first);
    await c.some();
    c.order(asked.first, 2);
    return ["mine 1", "mine 2"];
  },

  "puts one on what leads back to the peer by way of an answer here": async (c) => {
    const asked = c.ask(c.toServer, c.client.object);
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    call.reply(back.first);
    const inner = await c.until(() => c.client.next());
    await c.some();
    inner.reply(c.toServer);
    await c.some();
    c.order(asked.first, 2);
    return ["server 1", "server 2"];
  },

  "waits for a promise here that the peer's answer leads to": async (c) => {
    const asked = c.ask(c.toServer, c.client.object);
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    call.reply(back.first);
    const inner = await c.until(() => c.client.next());
    const promise = deferred();
    inner.reply(promise.promise);
    await c.some();
    c.order(asked.first, 2);
    await c.some();
    promise.resolve(logger(c, "mine"));
    await c.some();
    c.order(asked.first, 3);
    return ["mine 1", "mine 2", "mine 3"];
  },

  "keeps the order where that promise resolves to one at the peer": async (c) => {
    const asked = c.ask(c.toServer, c.client.object);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    const inner = await c.until(() => c.client.next());
    const promise = deferred();
    inner.reply(promise.promise);
    await c.some();
    call.reply(back.first);
    const third = c.ask(c.toServer);
    c.order(asked.first, 1);
    promise.resolve(third.first);
    await c.some();
    c.order(asked.first, 2);
    const last = await c.until(() => c.server.next());
    await c.some();
    last.reply(logger(c, "theirs"));
    await c.some();
    c.order(asked.first, 3);
    return ["theirs 1", "theirs 2", "theirs 3"];
  },

  "keeps the order where the way leads back and forth between the vats": async (c) => {
    const first = c.ask(c.toServer);
    const second = c.ask(c.toServer);
    const [one, two] = [await c.until(() => c.server.next()), await c.until(() => c.server.next())];
    const back = c.ask(c.toClient);
    const inner = await c.until(() => c.client.next());
    inner.reply(first.first);
    one.reply(c.toClient);
    two.reply(back.first);
    c.order(second.first, 1);
    await c.some();
    c.order(second.first, 2);
    await c.some();
    c.order(second.first, 3);
    return ["client 1", "client 2", "client 3"];
  },

  "puts one on the results of a call that was passed back to where it came from": async (c) => {
    const manual = new Manual(c, "mine");
    const echo = c.ask(c.toServer, manual.object);
    const passed = c.ask(echo.first);
    c.order(passed.first, 1);
    const call = await c.until(() => c.server.next());
    call.reply(call.first);
    const inner = await c.until(() => manual.next());
    await c.some();
    inner.reply(manual.object);
    await c.some();
    c.order(passed.first, 2);
    return ["mine 1", "mine 2"];
  },

  "is lifted where what it waits for has turned out to be at the peer": async (c) => {
    const first = c.ask(c.toServer);
    const again = c.own(bootstrapOf(c.vats.a));
    const back = c.ask(c.toClient);
    const call = await c.until(() => c.server.next());
    call.reply(back.first);
    c.order(first.first, 1);
    const inner = await c.until(() => c.client.next());
    inner.reply(again);
    await c.some();
    c.order(first.first, 2);
    return ["server 1", "server 2"];
  },

  "ends with an error where a promise leads to a place in the results of the call that it was given to": async (c) => {
    const promise = deferred();
    const first = c.ask(c.toServer, promise.promise);
    promise.resolve(first.second.castAs(Node));
    c.order(first.first, 1);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    back.catch(() => undefined);
    call.reply(back.first);
    await c.some();
    c.order(first.first, 2);
    return [];
  },

  "is not put on what has broken in the meantime": async (c) => {
    const first = c.ask(c.toClient, Promise.reject(new Error("broken")));
    const second = c.ask(c.toServer);
    c.order(second.first, 1);
    const inner = await c.until(() => c.client.next());
    inner.reply(inner.first);
    const call = await c.until(() => c.server.next());
    call.reply(first.first);
    await c.some();
    c.order(second.first, 2);
    return [];
  },

  "is put on one place in the results, and leaves another that holds nothing alone": async (c) => {
    const first = c.ask(c.toServer);
    (await c.until(() => c.server.next())).reply(c.toClient);
    const second = c.ask(first.first);
    const call = await c.until(() => c.client.next());
    c.order(second.second, 0);
    await c.some();
    c.order(second.first, 1);
    call.reply(c.toServer);
    await c.some();
    c.order(second.first, 2);
    return ["server 1", "server 2"];
  },

  "keeps the order where promises of both vats lead to each other, and one of them to an object": async (c) => {
    const first = c.ask(c.toServer);
    await c.vats.settle();
    const second = c.ask(c.toClient);
    const third = c.ask(c.toClient);
    await c.vats.settle();
    const [one, two, three] = [c.server.next(), c.client.next(), c.client.next()] as Waiting[];
    one?.reply(third.first);
    two?.reply(first.first);
    c.order(second.first, 1);
    await c.some();
    c.order(second.first, 2);
    const promise = deferred();
    three?.reply(promise.promise);
    promise.resolve(c.toServer);
    await c.some();
    c.order(second.first, 3);
    return ["server 1", "server 2", "server 3"];
  },
};

describe("an embargo, however the messages around it arrive", () => {
  for (const [title, scenario] of Object.entries(scenarios)) it(title, () => play(scenario));
});
