import type { Loose } from "../../support/loose.ts";
import type { ModelObject } from "./model-object.ts";
import { type Place, readAt } from "./places.ts";
import { Foreign } from "./shadow.ts";
import type { World } from "./world.ts";

const looked: readonly Place[] = ["cap", "group", "nested"];
const most = 12;

/** What can be read before something turns out to be no capability. */
const clientsIn = (pack: Loose): Loose[] => {
  const clients: Loose[] = [];
  try {
    for (const place of looked) {
      const client = readAt(pack, place);
      if (client !== null && client !== undefined) clients.push(client);
    }
    return clients;
  } catch (error) {
    for (const client of clients) client.release();
    throw error;
  }
};

/** What an object does for a call that nobody honest vouches for: anything, by the number that the call came with. */
export const serveStranger = (world: World, object: ModelObject, context: Loose): void => {
  const { pack } = context.params;
  const number: number = pack.number;
  const clients = clientsIn(pack);
  const held = world.held[object.vat] ?? [];
  switch (number % 5) {
    case 0:
      for (const client of clients.splice(0)) {
        if (held.length < most) world.hold(object.vat, client, { to: new Foreign() });
        else client.release();
      }
      break;
    case 1: {
      const made = world.makeObject(object.vat);
      context.results.pack = { number, cap: made, any: clients[0] };
      break;
    }
    case 2:
      context.results.pack = { number, cap: clients[0], group: { cap: clients[1] } };
      break;
    case 3: {
      const one = held[number % held.length];
      if (one !== undefined) context.results.pack = { number, cap: one.client };
      break;
    }
    default:
      for (const client of clients.splice(0)) client.release();
      throw new Error("on purpose");
  }
  for (const client of clients) client.release();
};
