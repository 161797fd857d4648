import { CapnpError } from "../../errors.ts";
import type { CallContext } from "./call-context.ts";
import { ClientHook } from "./client-hook.ts";
import type { Pipeline } from "./pipeline.ts";

/** A capability on which every call fails with the same error. */
export class BrokenClient extends ClientHook implements Pipeline {
  readonly #error: Error;

  constructor(error: Error) {
    super();
    this.#error = error;
  }

  override get brokenBy(): Error {
    return this.#error;
  }

  override call(_interfaceId: bigint, _methodId: number, context: CallContext): void {
    context.threw(this.#error);
  }

  /** Whatever is pipelined on what failed fails likewise. */
  pipelined(): ClientHook {
    return this.addRef();
  }

  override get releasesItself(): boolean {
    return true;
  }

  protected override destroyed(): void {
    // Nothing stands behind it.
  }
}

/** A promise that waits for itself would wait for ever. */
export const resolvedToItself = (): CapnpError =>
  new CapnpError("CAPNP_CALL", "The promise of a capability resolved to itself.");

class NullClient extends BrokenClient {
  constructor() {
    super(new CapnpError("CAPNP_NULL_CAPABILITY", "Called null capability."));
  }

  override get isNull(): boolean {
    return true;
  }
}

/** What a null pointer stands for where a capability is needed. */
export const nullClient: ClientHook = new NullClient();
