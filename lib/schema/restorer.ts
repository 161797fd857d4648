import type { CapabilitySource } from "../rpc/capability/client.ts";
import type { StructReader } from "./struct-base.ts";
import type { StructClass } from "./struct-class.ts";

/**
 * The base of classes that restore capabilities by object ids of a struct type: what `extends MyObjectId.Restorer`
 * extends. An instance is what the option `restorer` of `listen` and of `TwoPartyServer` takes.
 */
export abstract class StructRestorer<ObjectId = StructReader> {
  /** The type of the object ids. @internal */
  declare readonly $type: StructClass;

  /**
   * The capability that an object id stands for; null or undefined where it stands for none. A throw fails the restoring;
   * where a promise is returned, calls may be made before it resolves.
   *
   * @param peer Who asks: its address, whether it is encrypted, its certificate.
   */
  abstract restore(objectId: ObjectId, peer: object): CapabilitySource;
}

const classes = new WeakMap<StructClass, abstract new () => StructRestorer>();

/** `Restorer` of a struct class: the same class each time. */
export const restorerClassOf = (type: StructClass): (abstract new () => StructRestorer) => {
  let found = classes.get(type);
  if (found === undefined) {
    abstract class Restorer extends StructRestorer {}
    Object.defineProperty(Restorer, "name", { value: `${type.schema.name}.Restorer`, configurable: true });
    Object.defineProperty(Restorer.prototype, "$type", { value: type, configurable: true });
    found = Restorer;
    classes.set(type, found);
  }
  return found;
};
