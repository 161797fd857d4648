// Compiled, never run: see messages.ts.
import * as capnp from "../../lib/index.ts";
import { Directory, Node, type Scalars, type Shape, type Store } from "../fixtures/generated/everything.capnp.ts";
import { Named, type Place } from "../fixtures/generated/imported.capnp.ts";
import { exactly } from "./exactly.ts";

export const calling = async (node: Node.Client, directory: Directory.Client): Promise<void> => {
  const { child } = await node.child({ index: 5 });
  exactly<Node.Client>()(child);
  await node.child(5);
  await node.child(5, { timeout: 1000 });
  await node.child({ index: 5 }, { signal: AbortSignal.timeout(5) });
  await node.ping();
  await node.ping({ timeout: 5 });
  await node.ping({}, { timeout: 5 });
  exactly<Node.Client>()(node.child({ index: 1 }).child.child({ index: 2 }).child);
  exactly<Store.Client<Shape>>()(node.stats().store);
  await node.stats().store.put("key", { hidden: null });
  exactly<bigint>()((await node.stats()).size);
  exactly<Node.Client>()(node.find(["a", "b"]).result.node);
  exactly<Node.Client>()(node.find({ path: ["a"] }).result.any.as(Node));
  const { result } = await node.find(["a"], 5);
  if (result.$which === "node") exactly<Node.Client | null>()(result.node);
  exactly<Promise<void>>()(node.upload({ chunk: new Uint8Array(5) }));
  await directory.child(1);
  await directory.name();
  exactly<Node.Client>()((await directory.open("name")).node);
  exactly<string>()(
    await node
      .child(1)
      .then((results) => results.child.stats())
      .then((stats) => stats.name),
  );
  const described = await node.describe({ fill: { color: "red" } });
  exactly<"outline" | "fill" | "parts" | "hidden">()(described.$which);
  using held = child;
  held.release();
  node.child(1).cancel();
  exactly<Named.Client>()(node.castAs(Named));
  // @ts-expect-error: a param of another type
  node.child({ index: "5" });
  // @ts-expect-error: a param that the method does not have
  node.child({ indx: 5 });
  // @ts-expect-error: too many params
  node.child(5, 6);
  // @ts-expect-error: no such method
  node.childs(5);
  // @ts-expect-error: only what can be pipelined is there before the results are
  node.stats().size;
  // @ts-expect-error: a struct without capabilities neither
  node.place().place;
  // @ts-expect-error: nor a list of them
  node.children().children;
  // @ts-expect-error: nor text within a struct
  node.find(["a"]).result.missing;
  // @ts-expect-error: a result that the method does not have
  (await node.child(5)).node;
  // @ts-expect-error: a method of a class that this one does not extend
  node.open("name");
  // @ts-expect-error: no such option
  node.ping({ timeOut: 5 });
  // @ts-expect-error: a stream has no results
  (await node.upload(new Uint8Array(5))).chunk;
};

export const requests = async (node: Node.Client): Promise<void> => {
  const request = node.findRequest();
  node.childRequest({ index: 5 });
  // @ts-expect-error: a request takes the same params as the call
  node.childRequest({ indx: 5 });
  request.path = ["a", "b"];
  request.limit = 5;
  request.init("path", 2).set(0, "c");
  const promise = request.send({ timeout: 5 });
  exactly<Node.Client>()(promise.result.node);
  exactly<Node.Lookup.Reader>()((await promise).result);
  exactly<Promise<void>>()(node.uploadRequest().send());
  exactly<Node.Client>()(node.findRequest({ path: ["a"], limit: 5 }).send().result.node);
  // @ts-expect-error: a param that the method does not have
  node.findRequest({ depth: 5 });
  // @ts-expect-error: a param of another type
  request.limit = "5";
  // @ts-expect-error: a param that the method does not have
  request.depth = 5;
  // @ts-expect-error: an option, not a param
  request.send({ path: [] });
};

export const capabilities = (
  lookup: Node.Lookup.Builder,
  named: Named.Client,
  node: Node.Client,
  scalars: Scalars.Reader,
) => {
  lookup.node = node;
  lookup.node = new Tree();
  lookup.node = Promise.resolve(node);
  lookup.node = null;
  lookup.node = new Node.Client(new Tree());
  exactly<Node.Client>()(new Node.Client(Promise.resolve(new Tree())));
  // @ts-expect-error: a client of another interface
  lookup.node = named;
  // @ts-expect-error: a server of another interface
  lookup.node = new Name();
  // @ts-expect-error: a promise of something else
  lookup.node = Promise.resolve(5);
  // @ts-expect-error: no capability
  lookup.node = scalars;
  // @ts-expect-error: a server of another interface
  new Node.Client(new Name());
  // @ts-expect-error: servers are extended, not made
  new Node.Server();
};

export const bootstrap = (vat: capnp.TwoPartyClient): void => {
  exactly<Directory.Client>()(vat.bootstrap(Directory));
  exactly<Node.Client>()(vat.bootstrap().castAs(Node));
  const parent: Node.Client = vat.bootstrap(Directory);
  exactly<Node.Client>()(parent);
  capnp.release(parent);
  // @ts-expect-error: a struct is no interface
  vat.bootstrap(capnp.StructReader);
  // @ts-expect-error: what a directory extends is no directory
  exactly<Directory.Client>()(vat.bootstrap(Node));
};

class Name extends Named.Server {
  override name(): string {
    return "a name";
  }
}

/** Both forms of methods, and all forms of results. */
class Tree extends Node.Server {
  override child({ index }: Node.ChildParams.Reader, context: Node.ChildContext): Node.Client | Tree {
    exactly<number>()(index);
    exactly<AbortSignal>()(context.signal);
    exactly<string | undefined>()(context.peer?.address);
    return new Tree();
  }

  override async children(): Promise<Tree[]> {
    return [new Tree()];
  }

  override stats_context(context: Node.StatsContext): void {
    exactly<Node.StatsParams.Reader>()(context.params);
    context.results.name = "name";
    context.results.size = 5;
    context.setPipeline({ store: null });
    context.releaseParams();
    // @ts-expect-error: a result of another type
    context.results.name = 5;
    // @ts-expect-error: a result that the method does not have
    context.results.color = "red";
    // @ts-expect-error: not in a pipeline
    context.setPipeline({ stor: null });
    // @ts-expect-error: results of another method
    context.tailCall(new Node.Client(this).childRequest());
    context.tailCall(new Node.Client(this).statsRequest());
  }

  override async describe(shape: Shape.Reader): Promise<Shape.Reader> {
    return shape;
  }

  override place(): Node.PlaceResults.Init {
    return { place: { latitude: 1 } };
  }

  override async upload({ chunk }: Node.UploadParams.Reader): Promise<void> {
    exactly<Uint8Array>()(chunk);
  }

  override ping(): void {}
}

export class ByPosition extends Node.Server {
  override stats(): [string, bigint, { hidden: null }] {
    return ["name", 5n, { hidden: null }];
  }
  override place(_params: object, { results }: Node.PlaceContext): Place.Reader {
    return results.place;
  }
}

export class Wrong extends Node.Server {
  // @ts-expect-error: a result of another type
  override child(): number {
    return 5;
  }
  // @ts-expect-error: a plain object gives results by name
  override place(): { latitude: number } {
    return { latitude: 5 };
  }
  // @ts-expect-error: results in another order
  override stats(): [bigint, string] {
    return [5n, "name"];
  }
  // @ts-expect-error: a promise of something else
  override async find(): Promise<string> {
    return "found";
  }
  // @ts-expect-error: params of another type
  override children(params: { depth: number }): void {
    exactly<number>()(params.depth);
  }
  // @ts-expect-error: this form returns nothing
  override describe_context(): number {
    return 5;
  }
}

export class AlsoWrong extends Node.Server {
  // @ts-expect-error: the interface has no such method
  override pingg(): void {}
  // @ts-expect-error: a stream has no results
  override upload(): { done: boolean } {
    return { done: true };
  }
}

export class Both extends Directory.Server {
  override open({ name }: Directory.OpenParams.Reader): Tree | null {
    return name === "" ? null : new Tree();
  }
  override name() {
    return { name: "both" };
  }
}
