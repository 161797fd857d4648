import type { AllocationOptions } from "../serialization/arena.ts";
import { MessageBuilder } from "../serialization/message.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import { List } from "../serialization/list.ts";
import { assign } from "./assign.ts";
import * as operations from "./operations.ts";
import { toJSON, toObject } from "./plain-object.ts";
import { StructBase, type StructBuilder } from "./struct-base.ts";
import type { StructClass } from "./struct-class.ts";
import { structKind } from "./struct-kind.ts";
import { typeOfArgument } from "./type-argument.ts";

type Operation = (value: never, ...rest: never[]) => unknown;

/** Makes functions over a struct or list methods of its class: `f(x, a)` becomes `x.f(a)`. */
export const installMethods = (prototype: object, methods: Readonly<Record<string, Operation>>): void => {
  for (const [name, operation] of Object.entries(methods)) {
    const value = function (this: never, ...rest: never[]): unknown {
      return operation(this, ...rest);
    };
    Object.defineProperty(value, "name", { value: name });
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
};

/** Makes functions over a struct properties that are read: `f(x)` becomes `x.f`. */
export const installGetters = (prototype: object, getters: Readonly<Record<string, Operation>>): void => {
  for (const [name, operation] of Object.entries(getters)) {
    const get = function (this: never): unknown {
      return operation(this);
    };
    Object.defineProperty(prototype, name, { get, configurable: true });
  }
};

/** How the inspector of Node finds out what to print. Browsers do not ask. */
const inspect = Symbol.for("nodejs.util.inspect.custom");

/**
 * The methods of all readers and builders. They lie on the bases, below the accessors of each class: a field always wins
 * over a method of the same name. Builders have a few more.
 */
export const installStructMethods = (): void => {
  const { which, is, has, get, set, init, clear, asReader, copy, totalSize } = operations;
  installMethods(StructBase.prototype, { which, is, has, get, toObject, toJSON, asReader, copy, set, init, clear });
  installGetters(StructBase.prototype, { $which: which, totalSize });
  installMethods(List.prototype, { toObject, toJSON });
  for (const { prototype } of [StructBase, List]) {
    Object.defineProperty(prototype, inspect, {
      value(this: unknown) {
        return toObject(this);
      },
    });
  }
};

/** What is above every struct class (`Person` itself). */
export const structClassPrototype: object = Object.create(null, {
  newMessage: {
    value(this: StructClass, value?: unknown, options?: AllocationOptions): StructBuilder {
      const message = new MessageBuilder(options);
      const root = message.initRoot(this.Builder, this.dataBytes, this.pointerCount);
      if (value !== undefined) assign(root, value);
      return root;
    },
    writable: true,
    configurable: true,
  },
  of: {
    value(this: StructClass, ...types: unknown[]): StructClass {
      return this.schema.of(types.map(typeOfArgument)).structClass;
    },
    writable: true,
    configurable: true,
  },
  [Symbol.hasInstance]: {
    value(this: StructClass, value: unknown): boolean {
      return value instanceof StructBase && value._schema.id === this.schema.id;
    },
  },
  [Symbol.toStringTag]: { value: "StructClass" },
});

const kinds = new WeakMap<StructClass, PointerKind>();

Object.defineProperty(structClassPrototype, "_kind", {
  get(this: StructClass): PointerKind {
    let kind = kinds.get(this);
    if (kind === undefined) {
      kind = structKind(this.schema);
      kinds.set(this, kind);
    }
    return kind;
  },
});
