import type { AllocationOptions, UsedMemory } from "../serialization/arena.ts";
import * as serialization from "../serialization/message.ts";
import type { ByteSink } from "../serialization/message-stream.ts";
import { AnyPointerBuilder, type PointerTypeArgument } from "./any-pointer.ts";
import * as io from "./message-io.ts";
import type { AnyPointerBuilder as TypedAnyPointerBuilder, PointerArgument, PointerFor } from "./typed-any-pointer.ts";
import type { BuilderOf, SetOf } from "./type-views.ts";
import type { Sized } from "./typed-list.ts";

/**
 * A message to build whose root may be of any type, be replaced, or be a list; `Person.newMessage()` is shorter where it is one
 * struct. It is also the way to build in memory of your own, which is zeroed when the message is released:
 *
 * ```ts
 * using message = new MessageBuilder({ firstSegment: scratch });
 * message.initRoot(Person).name = "Alice";
 * socket.write(message.toBytes());
 * ```
 */
export class MessageBuilder {
  readonly #message: serialization.MessageBuilder;
  readonly #firstSegment: Uint8Array | undefined;

  /** @param existing Segments of a message to go on with, in their memory; see {@link MessageBuilder.reopen}. */
  constructor(options?: AllocationOptions, existing?: readonly UsedMemory[]) {
    this.#message = new serialization.MessageBuilder(options, undefined, existing);
    this.#firstSegment = options?.firstSegment;
  }

  /**
   * Goes on building a message where it lies: its segments, with the bytes in use of each; what is behind them must be zero and
   * takes what is new in the last one. Nothing is copied. The message must be trusted: building has no limits.
   */
  static reopen(segments: readonly (UsedMemory | Uint8Array)[], options?: AllocationOptions): MessageBuilder {
    const existing = segments.map((one) => (one instanceof Uint8Array ? { bytes: one, usedBytes: one.length } : one));
    return new MessageBuilder(options, existing);
  }

  /** The root pointer. */
  get root(): TypedAnyPointerBuilder {
    return new AnyPointerBuilder(this.#message.rootSegment, 0) as TypedAnyPointerBuilder;
  }

  /** The root as a type; a struct is allocated where there is none. */
  getRoot<A extends PointerArgument>(type: A): BuilderOf<PointerFor<A>>;
  getRoot(type: object): unknown;
  getRoot(type: PointerTypeArgument): unknown {
    return this.root.as(type as object);
  }

  /** Makes the root a new struct, or a new list or Data of `count` elements. What was there is zeroed. */
  initRoot<A extends PointerArgument, N extends number>(type: A, count?: N): Sized<PointerFor<A>, N>;
  initRoot(type: object, count?: number): unknown;
  initRoot(type: PointerTypeArgument, count?: number): unknown {
    return this.root.init(type as object, count);
  }

  /** Makes the root a copy of a value. Of which type a plain object or array is, the second argument says. */
  setRoot<A extends PointerArgument>(value: SetOf<PointerFor<A>>, type: A): void;
  setRoot(value: unknown, type?: object): void;
  setRoot(value: unknown, type?: PointerTypeArgument): void {
    if (type === undefined) this.root.set(value as null);
    else this.root.set(value, type as object);
  }

  /** Words in use in all segments: what goes out, less the table of segments. */
  get sizeInWords(): number {
    return this.#message.arena.segments.reduce((words, { end }) => words + end / 8, 0);
  }

  /** The segments as they lie in memory, which change as the message does. */
  toSegmentViews(): Uint8Array[] {
    return io.toSegmentViews(this.root);
  }

  /** The segments, copied. */
  toSegments(): Uint8Array[] {
    return io.toSegments(this.root);
  }

  /** The message in the stream format. */
  toBytes(): Uint8Array {
    return io.toBytes(this.root);
  }

  toBytesPacked(): Uint8Array {
    return io.toBytesPacked(this.root);
  }

  /** Writes the message to a stream, which stays open. */
  write(sink: ByteSink): Promise<void> {
    return io.write(this.root, sink);
  }

  writePacked(sink: ByteSink): Promise<void> {
    return io.writePacked(this.root, sink);
  }

  /**
   * Gives the references of the message's capabilities back, and zeroes the first segment that was given, which is then ready for
   * the next message. Builders in it must not be used any more. C++ does this in a destructor.
   */
  release(): void {
    const { arena } = this.#message;
    if (arena.hasCapTable) arena.capTable.release();
    const [first] = arena.segments;
    if (this.#firstSegment !== undefined && first !== undefined) this.#firstSegment.fill(0, 0, first.end);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
