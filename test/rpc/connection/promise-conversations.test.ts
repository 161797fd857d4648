import { expect } from "chai";
import { logger, play, type Scenario } from "../../support/conversation.ts";
import { deferred } from "../../support/nodes.ts";
import { describeCapTable, testSchema } from "../../support/rpc-messages.ts";

const { Node } = testSchema;

const scenarios: Record<string, Scenario> = {
  "is released with the results that bring it back, and so is what it becomes on the way": async (c) => {
    const promise = deferred();
    const asked = c.ask(c.toServer, promise.promise);
    const call = await c.until(() => c.server.next());
    call.reply(call.first);
    await c.some();
    promise.resolve(logger(c, "mine"));
    await c.some();
    asked.catch(() => undefined);
    asked[Symbol.dispose]();
    await c.some();
    return [];
  },

  "is released while the one that leads to it is still used": async (c) => {
    const one = c.ask(c.toServer);
    const two = c.ask(c.toClient);
    (await c.until(() => c.server.next())).reply(c.toClient, null);
    (await c.until(() => c.client.next())).reply(one.first);
    await c.some();
    two.catch(() => undefined);
    two[Symbol.dispose]();
    await c.some();
    c.order(one.first, 1);
    return ["client 1"];
  },

  "is a place in the results of a call whose results hold one in this one's, and all are released": async (c) => {
    const one = c.ask(c.toServer);
    const two = c.ask(c.toClient);
    const [atServer, atClient] = [await c.until(() => c.server.next()), await c.until(() => c.client.next())];
    atServer.reply(two.second, logger(c, "theirs"));
    atClient.reply(one.second, logger(c, "mine"));
    c.order(one.first, 1);
    await c.some();
    c.order(one.first, 2);
    await c.vats.settle();
    c.order(two.first, 3);
    await c.some();
    c.order(two.first, 4);
    return ["mine 1", "mine 2", "theirs 3", "theirs 4"];
  },

  "is passed on as one while it waits for another promise, whatever that becomes": async (c) => {
    const promise = deferred();
    const target = c.own(new Node.Client(promise.promise));
    const [never, later] = [c.ask(target), c.ask(target)];
    c.ask(never.first, later.first);
    c.ask(c.toServer, later.first);
    promise.resolve(c.toServer);
    const passed = await c.until(() => c.server.next());
    expect(c.vats.messages("call", "a").map(({ params }) => describeCapTable(params))[0]).to.deep.equal([
      "senderPromise 0",
    ]);
    const [first, second] = [await c.until(() => c.server.next()), await c.until(() => c.server.next())];
    c.order(passed.first, 1);
    await c.some();
    second.reply(logger(c, "theirs"));
    await c.some();
    c.order(passed.first, 2);
    await c.some();
    first.reply(null);
    return ["theirs 1", "theirs 2"];
  },
};

describe("a promise, however the messages around it arrive", () => {
  for (const [title, scenario] of Object.entries(scenarios)) it(title, () => play(scenario));
});
