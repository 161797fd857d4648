import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";

const NodeServer = testSchema.Node.Server as new () => object;

/** What a run lets its objects do with the calls that reach them. */
export interface Callee {
  order(object: ModelObject, params: Loose): unknown;
  pack(object: ModelObject, context: Loose): unknown;
  disposed(object: ModelObject): void;
}

/** An object of a vat's, which tells the run of everything that happens to it. */
export class ModelObject extends NodeServer {
  readonly id: number;
  readonly vat: number;
  disposals = 0;
  readonly #callee: Callee;

  constructor(id: number, vat: number, callee: Callee) {
    super();
    this.id = id;
    this.vat = vat;
    this.#callee = callee;
  }

  order(params: Loose): unknown {
    return this.#callee.order(this, params);
  }

  pack_context(context: Loose): unknown {
    return this.#callee.pack(this, context);
  }

  [Symbol.dispose](): void {
    this.disposals++;
    this.#callee.disposed(this);
  }
}
