import type { Brand, InterfaceBody, Method, Type } from "../schema/node.ts";
import type { Declaration } from "./declaration.ts";
import { docComment } from "./doc-comment.ts";
import { capitalized, hexId, isVariableName, memberName, unused } from "./names.ts";
import type { Doc } from "./printer.ts";
import { parameterList, type StructContext } from "./struct-types.ts";
import { interfaceHead, reference, signature, type Source, tuple, unionArgument } from "./syntax.ts";
import { type Scope, within } from "./type-names.ts";

/** Methods of clients that methods of an interface hide. */
export const clientMethods: readonly string[] = ["castAs", "upcast", "release"];

/** Id of StreamResult in stream.capnp: the results of methods of streams. */
const streamResultId = 0x995f9a3377c0b16en;

interface Ancestor {
  readonly id: bigint;
  readonly methods: readonly Method[];
}

/** Writes the client and the server of an interface. */
export class InterfaceTypes {
  readonly #interface: Declaration;
  readonly #context: StructContext;
  readonly #scope: Scope;
  readonly #body: InterfaceBody;
  readonly #source: Source;
  readonly #contexts = new Map<Method, string>();

  constructor(declaration: Declaration, context: StructContext, source: Source) {
    this.#interface = declaration;
    this.#context = context;
    this.#scope = within(declaration);
    this.#body = context.declarations.interface(declaration.node.id);
    this.#source = source;
    const taken = new Set([...declaration.members.keys(), "Client", "Server"]);
    for (const method of this.#body.methods) {
      const name = unused(`${capitalized(method.name).replace(/[^A-Za-z0-9_]/g, "_")}Context`, taken);
      taken.add(name);
      this.#contexts.set(method, name);
    }
  }

  write(): void {
    const ancestry = this.#ancestry(this.#interface.node.id);
    const ids = unionArgument(ancestry.map(({ id }) => JSON.stringify(hexId(id))));
    const methods = this.#body.methods
      .map((method, index) => ({ method, index }))
      .sort((a, b) => a.method.codeOrder - b.method.codeOrder);
    for (const { method } of methods) this.#writeContext(method);
    const parameters = parameterList(this.#interface);
    this.#source.block(interfaceHead("Client", parameters, this.#clientParents(ancestry)), () => {
      this.#source.line(["readonly [$.interfaceIds]: ", reference("$.InterfaceIds", [ids]), ";"]);
      for (const { method, index } of methods) this.#writeCall(method, index, ancestry);
    });
    this.#source.block(interfaceHead("Server", parameters, this.#serverParents()), () => {
      this.#source.line(["readonly [$.interfaceIds]: ", reference("$.InterfaceIds", [ids]), ";"]);
      for (const { method, index } of methods) this.#writeServerMethod(method, index);
    });
  }

  #writeContext(method: Method): void {
    const name = this.#contexts.get(method) as string;
    const context = reference("$.Context", [this.#params(method), this.#results(method)]);
    const parameters = parameterList(this.#interface);
    const head = interfaceHead(name, parameters, [context]);
    this.#source.line([head, " {}"]);
  }

  #writeCall(method: Method, index: number, ancestry: readonly Ancestor[]): void {
    const params = this.#params(method);
    const isStream = method.resultStructType === streamResultId;
    const returned = isStream ? "$.Streamed" : reference("$.Results", [this.#results(method)]);
    const options = "options?: $.CallOptions";
    const { declarations, types } = this.#context;
    const { fields } = declarations.struct(method.paramStructType);
    const call = memberName(callName(method));
    this.#comment(index);
    this.#source.line([signature(call, [["params: ", reference("$.InputOf", [params])], options], returned), ";"]);
    // Where no field stands before them the options come first.
    const positional = fields.map(({ name, body }, position): Doc => {
      const type =
        body.which === "group"
          ? reference("$.InputOf", [this.#group(body.typeId, method.paramBrand)])
          : types.input(this.#inStruct(body.type, method.paramStructType, method.paramBrand), this.#scope);
      const safe = isVariableName(name) && name !== "options" ? name : `_${position}`;
      return [`${safe}?: `, type];
    });
    this.#source.line([signature(call, [...positional, options], returned), ";"]);
    const request = `${method.name}Request`;
    if (ancestry.some(({ methods }) => methods.some(({ name }) => name === request))) return;
    const args = [params, this.#results(method), ...(isStream ? ["$.Streamed"] : [])];
    this.#source.line([
      signature(memberName(request), [["params?: ", reference("$.InputOf", [params])]], reference("$.Request", args)),
      ";",
    ]);
  }

  #writeServerMethod(method: Method, index: number): void {
    const context = reference(
      this.#contexts.get(method) as string,
      this.#interface.parameters.map(({ name }) => name),
    );
    this.#comment(index);
    const params: Doc = ["params: ", reference("$.ReaderOf", [this.#params(method)])];
    const start = `${memberName(method.name)}?`;
    this.#source.line([signature(start, [params, ["context: ", context]], this.#returned(method)), ";"]);
    const withContext = `${memberName(`${method.name}_context`)}?`;
    this.#source.line([signature(withContext, [["context: ", context]], "$.StreamReturns"), ";"]);
  }

  #returned(method: Method): Doc {
    if (method.resultStructType === streamResultId) return "$.StreamReturns";
    const results = this.#results(method);
    const { fields } = this.#context.declarations.struct(method.resultStructType);
    const types = fields.map(({ body }) =>
      body.which === "group"
        ? this.#group(body.typeId, method.resultBrand)
        : this.#context.types.type(this.#inStruct(body.type, method.resultStructType, method.resultBrand), this.#scope),
    );
    if (types.length === 0) return reference("$.Returns", [results]);
    const [only] = types;
    const otherwise = types.length === 1 ? reference("$.BareOf", [only as Doc]) : reference("$.Listed", [tuple(types)]);
    return reference("$.Returns", [results, otherwise]);
  }

  /** The type of a field of a method's params or results, as it is called here. */
  #inStruct(type: Type, structId: bigint, brand: Brand): Type {
    return this.#context.declarations.isOfMethod(structId) ? type : substituted(type, brand);
  }

  #group(id: bigint, brand: Brand): Doc {
    return this.#context.types.branded(id, brand, this.#scope);
  }

  #params({ paramStructType, paramBrand }: Method): Doc {
    return this.#struct(paramStructType, paramBrand);
  }

  #results({ resultStructType, resultBrand }: Method): Doc {
    if (resultStructType === streamResultId) return "$.StreamResult";
    return this.#struct(resultStructType, resultBrand);
  }

  #struct(id: bigint, brand: Brand): Doc {
    const { declarations, types } = this.#context;
    return declarations.isOfMethod(id)
      ? types.own(declarations.get(id), this.#scope)
      : types.branded(id, brand, this.#scope);
  }

  #comment(index: number): void {
    const { declarations } = this.#context;
    this.#source.lines(docComment(declarations.memberComment(this.#interface.node.id, index)));
  }

  /** This interface and all that it extends, each once, nearest first. */
  #ancestry(id: bigint): Ancestor[] {
    const seen = new Map<bigint, Ancestor>();
    const pending = [id];
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      if (seen.has(next)) continue;
      const { methods, superclasses } = this.#context.declarations.interface(next);
      seen.set(next, { id: next, methods });
      for (const one of superclasses) pending.push(one.id);
    }
    return [...seen.values()];
  }

  #clientParents(ancestry: readonly Ancestor[]): readonly Doc[] {
    const names = (ancestors: readonly Ancestor[]): Set<string> =>
      new Set(ancestors.flatMap(({ methods }) => methods.flatMap((one) => [callName(one), `${one.name}Request`])));
    const all = names(ancestry);
    const hiddenOfOurs = clientMethods.filter((name) => all.has(name));
    const { parents, isComplete } = this.#parents("Client", names, hiddenOfOurs);
    // A client remains one, whichever of its methods are hidden.
    if (hiddenOfOurs.length === 0) return isComplete ? parents : ["$.InterfaceClient", ...parents];
    return ["$.UnknownClient", ...(parents.length > 0 ? parents : [hide("$.InterfaceClient", hiddenOfOurs)])];
  }

  #serverParents(): readonly Doc[] {
    const names = (ancestors: readonly Ancestor[]): Set<string> =>
      new Set(ancestors.flatMap(({ methods }) => methods.flatMap(({ name }) => [name, `${name}_context`])));
    const { parents } = this.#parents("Server", names, []);
    return parents.length > 0 ? parents : ["$.InterfaceServer"];
  }

  /** Whether an interface may be extended more than once, with different type arguments. */
  #isGeneric(id: bigint): boolean {
    return this.#context.declarations.get(id).parameters.length > 0;
  }

  /** What the interfaces that this one extends have, without what a nearer interface declares under the same name. */
  #parents(
    member: "Client" | "Server",
    namesOf: (ancestors: readonly Ancestor[]) => ReadonlySet<string>,
    hiddenOfOurs: readonly string[],
  ): { readonly parents: readonly Doc[]; readonly isComplete: boolean } {
    const { types } = this.#context;
    const { id } = this.#interface.node;
    const nearer = new Map([...namesOf([{ id, methods: this.#body.methods }])].map((name) => [name, id]));
    let isComplete = this.#body.superclasses.length > 0;
    const parents = this.#body.superclasses.map((superclass) => {
      const ancestry = this.#ancestry(superclass.id);
      const hidden: string[] = [];
      for (const ancestor of ancestry) {
        for (const name of namesOf([ancestor])) {
          const known = nearer.get(name);
          if (known === undefined) nearer.set(name, ancestor.id);
          else if (known !== ancestor.id || this.#isGeneric(ancestor.id)) hidden.push(name);
        }
      }
      const own = namesOf(ancestry);
      hidden.push(...hiddenOfOurs.filter((name) => !own.has(name)));
      isComplete &&= hidden.length === 0;
      return hide(types.branded(superclass.id, superclass.brand, this.#scope, `.${member}`), hidden);
    });
    return { parents, isComplete };
  }
}

const hide = (type: Doc, names: readonly string[]): Doc =>
  names.length === 0
    ? type
    : reference("$.Hide", [type, unionArgument([...new Set(names)].map((name) => JSON.stringify(name)))]);

const callName = ({ name }: Method): string => (name === "then" ? "then_" : name);

/** A type with the parameters of generic scopes replaced by what a brand binds to them. */
const substituted = (type: Type, brand: Brand): Type => {
  switch (type.which) {
    case "list":
      return { which: "list", elementType: substituted(type.elementType, brand) };
    case "anyPointer": {
      if (type.kind !== "parameter") return type;
      const scope = brand.scopes.find(({ scopeId }) => scopeId === type.scopeId);
      if (scope?.which === "inherit") return type;
      const binding = scope?.bindings[type.parameterIndex];
      return binding?.which === "type" ? binding.type : { which: "anyPointer", kind: "unconstrained" };
    }
    case "enum":
    case "struct":
    case "interface":
      return { ...type, brand: substitutedBrand(type.brand, brand) };
    default:
      return type;
  }
};

const substitutedBrand = ({ scopes }: Brand, outer: Brand): Brand => ({
  scopes: scopes.map((scope) => {
    if (scope.which === "inherit") return outer.scopes.find((one) => one.scopeId === scope.scopeId) ?? scope;
    const bindings = scope.bindings.map((one) =>
      one.which === "type" ? ({ which: "type", type: substituted(one.type, outer) } as const) : one,
    );
    return { ...scope, bindings };
  }),
});
