import { type BuiltinName, builtinNames, type Resolution, type Resolver } from "./resolver.ts";

/** A built-in type. It has no members and no scope around it. */
class Builtin implements Resolver {
  readonly id: bigint;
  readonly kind: BuiltinName;
  readonly parent = undefined;

  constructor(kind: BuiltinName, id: bigint) {
    this.kind = kind;
    this.id = id;
  }

  get parameterCount(): number {
    return this.kind === "List" ? 1 : 0;
  }

  get file(): Resolver {
    return this;
  }

  resolve(): undefined {}

  resolveMember(): undefined {}

  builtin(name: BuiltinName): Resolver {
    return builtins.get(name)!;
  }

  byId(): Resolver {
    return this;
  }

  resolveImport(): undefined {}
}

// ids of declarations have their top bit set, so that small numbers are free
const builtins: ReadonlyMap<string, Resolver> = new Map(
  builtinNames.map((name, i) => [name, new Builtin(name, BigInt(i + 1))]),
);

export const builtin = (name: BuiltinName): Resolver => builtins.get(name)!;

/** What a name means that no scope declares. */
export function resolveBuiltin(name: string): Resolution | undefined {
  const declaration = builtins.get(name);
  return declaration && { which: "declaration", declaration, scopeId: 0n };
}
