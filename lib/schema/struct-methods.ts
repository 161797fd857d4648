import { withinCallStack } from "../serialization/call-stack.ts";
import { CapnpError } from "../errors.ts";
import { type AllocationOptions, movingSegmentBytes } from "../serialization/arena.ts";
import { MessageBuilder } from "../serialization/message.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import { List } from "../serialization/list.ts";
import { AnyListReader } from "./any-list.ts";
import { AnyPointerBuilder, AnyPointerReader } from "./any-pointer.ts";
import { AnyStructReader } from "./any-struct.ts";
import { assign } from "./assign.ts";
import * as disown from "./disown.ts";
import { fromJSON } from "./from-json.ts";
import { fromText } from "./from-text.ts";
import * as io from "./message-io.ts";
import * as operations from "./operations.ts";
import { typeName } from "./kind-of.ts";
import { Orphan } from "./orphan.ts";
import { toObject } from "./plain-object.ts";
import { restorerClassOf } from "./restorer.ts";
import { initResizableList } from "./resizable-list.ts";
import { StructBase, type StructBuilder } from "./struct-base.ts";
import type { StructClass } from "./struct-class.ts";
import { structKind } from "./struct-kind.ts";
import { toText } from "./text.ts";
import { toJSON } from "./to-json.ts";
import { typeOfArgument } from "./type-argument.ts";

type Operation = (value: never, ...rest: never[]) => unknown;

/** Makes functions over a struct or list methods of its class: `f(x, a)` becomes `x.f(a)`. */
const installMethods = (prototype: object, methods: Readonly<Record<string, Operation>>): void => {
  for (const [name, operation] of Object.entries(methods)) {
    const value = function (this: never, ...rest: never[]): unknown {
      return operation(this, ...rest);
    };
    Object.defineProperty(value, "name", { value: name });
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
};

/** Makes functions over a struct properties that are read: `f(x)` becomes `x.f`. */
const installGetters = (prototype: object, getters: Readonly<Record<string, Operation>>): void => {
  for (const [name, operation] of Object.entries(getters)) {
    const get = function (this: never): unknown {
      return operation(this);
    };
    Object.defineProperty(prototype, name, { get, configurable: true });
  }
};

/** How the inspector of Node finds out what to print. Browsers do not ask. */
const inspect = Symbol.for("nodejs.util.inspect.custom");

/** What is printed may be what an enemy sent: a line of a log must not become another failure. */
const installInspection = <T extends object>(prototype: T, print: (value: T) => unknown): void => {
  Object.defineProperty(prototype, inspect, {
    value(this: T): unknown {
      try {
        return print(this);
      } catch (error) {
        if (error instanceof CapnpError) return `[unreadable: ${error.message}]`;
        throw error;
      }
    },
  });
};

/** What has no type has no fields to print, and nobody wants to read where in the message it lies. */
const installUntypedInspection = (): void => {
  installInspection(AnyPointerReader.prototype, ({ kind }) => `[AnyPointer: ${kind}]`);
  installInspection(AnyListReader.prototype, ({ length }) => `[AnyList: ${length} elements]`);
  installInspection(
    AnyStructReader.prototype,
    ({ $dataBytes, $pointerCount }) => `[AnyStruct: ${$dataBytes} bytes of data, ${$pointerCount} pointers]`,
  );
  installInspection(Orphan.prototype, ({ $type }) => `[Orphan: ${typeName($type)}]`);
};

/**
 * The methods of all readers and builders. They lie on the bases, below the accessors of each class: a field always wins
 * over a method of the same name. Builders have a few more.
 */
export const installStructMethods = (): void => {
  const { which, is, has, get, set, init, clear, asReader, copy, totalSize } = operations;
  installMethods(StructBase.prototype, { which, is, has, get, toObject, toJSON, asReader, copy, set, init, clear });
  installGetters(StructBase.prototype, { $which: which, totalSize });
  installMethods(List.prototype, { toObject, toJSON });
  installMessageMethods();
  for (const { prototype } of [StructBase, List]) installInspection<object>(prototype, toObject);
  installUntypedInspection();
};

/** Structs as messages, text and JSON, and what is taken out of them and put back. */
const installMessageMethods = (): void => {
  const { toBytes, toBytesPacked, toSegments, toSegmentViews, write, writePacked } = io;
  installMethods(StructBase.prototype, { toBytes, toBytesPacked, toSegments, toSegmentViews, write, writePacked });
  const textMethods = { toText, toString: (value: StructBase | List<unknown>) => toText(value) };
  for (const { prototype } of [StructBase, List]) installMethods(prototype, textMethods);
  // Makes String(struct) work where a field is called toString.
  Object.defineProperty(StructBase.prototype, Symbol.toPrimitive, {
    value(this: StructBase, hint: string) {
      return hint === "number" ? Number.NaN : toText(this);
    },
  });
  installMethods(StructBase.prototype, { disown: disown.disown, adopt: disown.adopt, initResizableList });
  installMethods(List.prototype, { disown: disown.disownElement, adopt: disown.adoptElement });
  installMethods(AnyPointerBuilder.prototype, { disown: disown.disownPointee, adopt: disown.adoptPointee });
  const { fromBytes, fromBytesPacked, fromSegments, read, readPacked } = io;
  const { readMultiple, readMultiplePacked, readMultipleBytes, readMultipleBytesPacked } = io;
  installMethods(structClassPrototype, { fromBytes, fromBytesPacked, fromSegments, read, readPacked });
  installMethods(structClassPrototype, {
    readMultiple,
    readMultiplePacked,
    readMultipleBytes,
    readMultipleBytesPacked,
  });
  installMethods(structClassPrototype, { fromText, fromJSON });
};

/** What is above every struct class (`Person` itself). */
export const structClassPrototype: object = Object.create(null, {
  newMessage: {
    value(this: StructClass, value?: unknown, options?: AllocationOptions): StructBuilder {
      const { schema } = this;
      const expectedBytes = Math.min(schema._expectedBytes, movingSegmentBytes);
      schema._expectedBytes = 0;
      const message = new MessageBuilder(options, undefined, undefined, expectedBytes);
      const root = message.initRoot(this.Builder, this.dataBytes, this.pointerCount);
      if (value !== undefined) withinCallStack("This value", () => assign(root, value));
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
  Restorer: {
    get(this: StructClass) {
      return restorerClassOf(this);
    },
    configurable: true,
  },
  [Symbol.hasInstance]: {
    value(this: StructClass, value: unknown): boolean {
      return value instanceof StructBase && value.$schema.id === this.schema.id;
    },
  },
  [Symbol.toStringTag]: { value: "StructClass" },
  [Symbol.toPrimitive]: {
    value(this: StructClass): string {
      return `[struct ${this.schema.path}]`;
    },
  },
  [inspect]: {
    value(this: StructClass): string {
      return `[struct ${this.schema.path}]`;
    },
  },
});

const kinds = new WeakMap<StructClass, PointerKind>();

Object.defineProperty(structClassPrototype, "$kind", {
  get(this: StructClass): PointerKind {
    let kind = kinds.get(this);
    if (kind === undefined) {
      kind = structKind(this.schema);
      kinds.set(this, kind);
    }
    return kind;
  },
});
