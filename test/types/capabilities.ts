// Compiled, never run: see messages.ts.
import * as capnp from "../../lib/index.ts";
import { Directory, Node, Scalars } from "../fixtures/generated/everything.capnp.ts";
import { Named } from "../fixtures/generated/imported.capnp.ts";
import { exactly } from "./exactly.ts";

class NodeImpl extends Node.Server {
  readonly secret: number = 5;

  self(): Node.Client {
    return capnp.thisCap(this, Node);
  }
}

class DirectoryImpl extends Directory.Server {}

export const casting = (directory: Directory.Client): void => {
  exactly<Named.Client>()(directory.castAs(Named));
  exactly<Named.Client>()(directory.upcast(Named));
  exactly<Named.Client>()(capnp.castAs(directory, Named));
  exactly<Named.Client>()(capnp.upcast(directory, Named));
  exactly<capnp.InterfaceClient>()(capnp.thisCap(new NodeImpl()));
  // @ts-expect-error: only a server object has itself
  capnp.thisCap(directory);
};

export const restoring = (client: capnp.TwoPartyClient): void => {
  class TypedRestorer extends Scalars.Restorer {
    restore(objectId: Scalars.Reader): NodeImpl {
      exactly<number>()(objectId.int32);
      return new NodeImpl();
    }
  }
  class PatientRestorer extends Scalars.Restorer {
    async restore({ int32 }: Scalars.Reader): Promise<NodeImpl> {
      exactly<number>()(int32);
      return new NodeImpl();
    }
  }
  new capnp.TwoPartyServer({ restorer: new TypedRestorer() });
  new capnp.TwoPartyServer({ restorer: new PatientRestorer() });
  new capnp.TwoPartyServer({
    restorer: (objectId, peer) => {
      exactly<number>()(objectId.as(Scalars).int32);
      exactly<string>()(objectId.as("Text"));
      exactly<string>()(peer.address);
      return objectId.as("Text") === "node" ? new NodeImpl() : null;
    },
  });
  exactly<capnp.InterfaceClient>()(client.restore(Scalars.newMessage({ int32: 5 })));
  exactly<capnp.InterfaceClient>()(client.restore({ int32: 5 }, Scalars));
  exactly<Node.Client>()(client.restore({ int32: 5 }, Scalars, Node));
  exactly<Node.Client>()(client.restore("node", Node));
  exactly<capnp.InterfaceClient>()(client.ezRestore("node"));
  exactly<Node.Client>()(client.ezRestore("node", Node));
  // @ts-expect-error: a restorer must restore
  new capnp.TwoPartyServer({ restorer: {} });
  // @ts-expect-error: nor does a number stand for a capability
  new capnp.TwoPartyServer({ restorer: () => 5 });
  // @ts-expect-error: a name is a text
  client.ezRestore(5);
  class WrongRestorer extends Scalars.Restorer {
    // @ts-expect-error: the object id is a struct of that type
    restore(objectId: string): NodeImpl {
      return objectId === "" ? new NodeImpl() : new NodeImpl();
    }
  }
  void WrongRestorer;
};

export const carrying = async (): Promise<void> => {
  const end = new capnp.TwoPartyClient();
  const bytes = await end.read(4096);
  exactly<Uint8Array | undefined>()(bytes);
  exactly<boolean>()(await end.write(new Uint8Array(5)));
  // @ts-expect-error: text is no bytes
  await end.write("text");
};

export const sets = async (client: Node.Client): Promise<void> => {
  const nodes = new capnp.CapabilityServerSet<NodeImpl, Node.Client>(Node);
  exactly<Node.Client>()(nodes.add(new NodeImpl()));
  exactly<Node.Client>()(new capnp.CapabilityServerSet(Node).add(new NodeImpl()));
  exactly<NodeImpl | undefined>()(await nodes.getLocalServer(client));
  exactly<NodeImpl | undefined>()(nodes.getLocalServerSync(client));
  exactly<number | undefined>()(nodes.getLocalServerSync(client)?.secret);
  // @ts-expect-error: an object of another class
  nodes.add(new DirectoryImpl());
};

export const revoking = (): void => {
  const revocable = new capnp.RevocableServer(new NodeImpl(), Node);
  exactly<Node.Client>()(revocable.client);
  exactly<capnp.InterfaceClient>()(new capnp.RevocableServer(new NodeImpl()).client);
  revocable.revoke("no more");
  // @ts-expect-error: a client is not ours to revoke
  new capnp.RevocableServer(revocable.client);
};

export const membranes = (node: Node.Client, reader: Scalars.Reader): void => {
  const policy: capnp.MembranePolicy = {
    inboundCall(interfaceId, methodId, target) {
      exactly<bigint>()(interfaceId);
      exactly<number>()(methodId);
      exactly<capnp.InterfaceClient>()(target);
      return methodId === 0 ? new NodeImpl() : undefined;
    },
    outboundCall() {},
    onRevoked: AbortSignal.timeout(5),
  };
  class Policy implements capnp.MembranePolicy {
    readonly onRevoked = Promise.resolve();
    exportInternal(internal: capnp.InterfaceClient): Node.Client {
      return internal.castAs(Node);
    }
  }
  exactly<Node.Client>()(capnp.membrane(node, policy));
  exactly<Node.Client>()(capnp.reverseMembrane(node, new Policy()));
  exactly<capnp.InterfaceClient>()(capnp.membrane(new NodeImpl(), policy));
  exactly<Scalars.Builder>()(capnp.copyIntoMembrane(reader, policy));
  exactly<Scalars.Builder>()(capnp.copyOutOfMembrane(Scalars.newMessage(), policy));
  // @ts-expect-error: what decides is a capability or nothing
  capnp.membrane(node, { inboundCall: () => 5 });
};

export const reconnecting = (node: Node.Client): void => {
  exactly<Node.Client>()(capnp.autoReconnect(() => node));
  exactly<Node.Client>()(capnp.autoReconnect(async () => node, Node));
  exactly<Node.Client>()(capnp.autoReconnect(() => new NodeImpl(), Node));
  exactly<capnp.InterfaceClient>()(capnp.lazyAutoReconnect(() => node));
  exactly<Node.Client>()(capnp.lazyAutoReconnect(() => node, Node));
  const { client, controller } = capnp.lazyAutoReconnectWithController(() => node, Node);
  exactly<Node.Client>()(client);
  controller.reset();
  // @ts-expect-error: there is nothing to connect to
  capnp.lazyAutoReconnect(() => 5);
};
