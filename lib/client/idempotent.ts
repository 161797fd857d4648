import { CapnpError } from "../errors.ts";
import type { Client } from "../rpc/capability/client.ts";
import { schemaOf } from "../schema/method-name.ts";
import type { Annotation } from "../schema/node.ts";
import type { InterfaceType } from "../schema/interface-client.ts";

/** Id of the annotation `idempotent` of /capstan/rpc.capnp. */
const idempotentId = 0xe7b0a7c0c5c2d8f1n;

const isAnnotated = (annotations: readonly Annotation[]): boolean => annotations.some(({ id }) => id === idempotentId);

/** Methods that do no harm when they run twice, by interface: `[[Example, ["alive", "version"]]]`. */
export type MethodList = Iterable<readonly [InterfaceType<Client>, Iterable<string>]>;

const key = (interfaceId: bigint, methodId: number): string => `${interfaceId}.${methodId}`;

/** Knows which methods may be called again after their call was lost: those that a schema or a list says so of. */
export class IdempotentMethods {
  readonly #listed = new Set<string>();

  /** Throws CAPNP_TYPE for a name that is no method of its interface. */
  constructor(listed: MethodList) {
    for (const [type, names] of listed) {
      for (const name of names) {
        const method = type.schema.allMethods.get(name);
        if (method === undefined) {
          throw new CapnpError(
            "CAPNP_TYPE",
            `${type.schema.path} has no method ${JSON.stringify(name)} (retry.methods).`,
          );
        }
        this.#listed.add(key(method.interfaceId, method.ordinal));
      }
    }
  }

  has(interfaceId: bigint, methodId: number): boolean {
    if (this.#listed.has(key(interfaceId, methodId))) return true;
    const schema = schemaOf(interfaceId);
    const method = schema?.methods[methodId];
    if (schema === undefined || method === undefined) return false;
    return isAnnotated(method.annotations) || isAnnotated(schema.annotations);
  }
}
