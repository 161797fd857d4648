import { type CapabilitySource, type Client, toHook } from "./rpc/capability/client.ts";
import type { ClientHook } from "./rpc/capability/client-hook.ts";
import { type Crossing, cross, crossAll, type MembraneClient, type MembraneRules } from "./rpc/capability/membrane.ts";
import { Revocation, revokedError } from "./rpc/capability/revocation.ts";
import { AnyPointerBuilder, type AnyPointerReader } from "./schema/any-pointer.ts";
import type { InterfaceServer } from "./schema/interface-class.ts";
import { clientLike, type InterfaceClient, requireHook, withBorrowed } from "./schema/interface-client.ts";
import { kindOfList } from "./schema/list-kind.ts";
import { copy } from "./schema/operations.ts";
import { StructBase, type StructBuilder } from "./schema/struct-base.ts";
import { List } from "./serialization/list.ts";
import { MessageBuilder } from "./serialization/message.ts";

type Nothing = ReturnType<() => void>;

/**
 * What a membrane lets pass. One policy object is one membrane: what passes through it and back comes out as it was.
 *
 * Clients that these methods are given are theirs until they return: `castAs` makes a reference that lasts. All of it is
 * optional; a policy without any lets everything pass until it is revoked.
 */
export interface MembranePolicy {
  /**
   * Decides on a call from outside to an object inside. Nothing: it proceeds, and capabilities in its params and results
   * cross the membrane. A capability: the call goes there instead, as it is: that capability counts as being outside. A
   * throw: the call fails.
   */
  inboundCall?(interfaceId: bigint, methodId: number, target: InterfaceClient): CapabilitySource | Nothing;
  /**
   * The same for a call from inside to an object outside. Let it pass what `inboundCall` lets pass: calls on a promise that
   * turns out to lead back cross the membrane twice, and once it has resolved not at all.
   */
  outboundCall?(interfaceId: bigint, methodId: number, target: InterfaceClient): CapabilitySource | Nothing;
  /**
   * When it is aborted or settles, every capability across the membrane breaks and every call through it fails, with the
   * reason. What has come back through the membrane is not affected.
   */
  readonly onRevoked?: AbortSignal | PromiseLike<unknown>;
  /**
   * Whether a call on a promise that would be redirected waits until the promise has resolved: it may turn out to lead out
   * of the membrane again. Default: false.
   */
  readonly resolvesBeforeRedirecting?: boolean;
  /** Policies of the same root unwrap what has passed through the other. Default: the policy itself. */
  readonly rootPolicy?: MembranePolicy;
  /** What stands inside for a capability from outside. Nothing: a capability to which this policy applies. */
  importExternal?(external: InterfaceClient): CapabilitySource | Nothing;
  /** What stands outside for a capability from inside. Nothing: a capability to which this policy applies. */
  exportInternal?(internal: InterfaceClient): CapabilitySource | Nothing;
  /** What stands inside for a capability that went out and comes back; asked of the root policy. Nothing: itself. */
  importInternal?(
    internal: InterfaceClient,
    exportPolicy: MembranePolicy,
    importPolicy: MembranePolicy,
  ): CapabilitySource | Nothing;
  /** What stands outside for a capability that came in and goes back; asked of the root policy. Nothing: itself. */
  exportExternal?(
    external: InterfaceClient,
    importPolicy: MembranePolicy,
    exportPolicy: MembranePolicy,
  ): CapabilitySource | Nothing;
}

class PolicyRules implements MembraneRules {
  readonly policy: MembranePolicy;
  readonly revocation = new Revocation();
  readonly wrappers = { inward: new Map<ClientHook, MembraneClient>(), outward: new Map<ClientHook, MembraneClient>() };

  constructor(policy: MembranePolicy) {
    this.policy = policy;
    const { onRevoked } = policy;
    if (onRevoked === undefined) return;
    const revoke = (reason?: unknown): void => this.revocation.revoke(revokedError(reason));
    if (!(onRevoked instanceof AbortSignal)) onRevoked.then(() => revoke(), revoke);
    else if (onRevoked.aborted) revoke(onRevoked.reason);
    else onRevoked.addEventListener("abort", () => revoke(onRevoked.reason), { once: true });
  }

  get root(): MembraneRules {
    const { rootPolicy } = this.policy;
    return rootPolicy === undefined || rootPolicy === this.policy ? this : rulesOf(rootPolicy).root;
  }

  get resolvesBeforeRedirecting(): boolean {
    return this.policy.resolvesBeforeRedirecting ?? false;
  }

  redirect(crossing: Crossing, interfaceId: bigint, methodId: number, target: ClientHook): ClientHook | null {
    const { policy } = this;
    const decide = crossing === "outward" ? policy.inboundCall : policy.outboundCall;
    if (decide === undefined) return null;
    return withBorrowed(target, (client) => toHook(decide.call(policy, interfaceId, methodId, client)));
  }

  substitute(crossing: Crossing, hook: ClientHook): ClientHook | null {
    const { policy } = this;
    const decide = crossing === "inward" ? policy.importExternal : policy.exportInternal;
    return decide === undefined ? null : withBorrowed(hook, (client) => toHook(decide.call(policy, client)));
  }

  unwrapped(crossing: Crossing, hook: ClientHook, before: PolicyRules, now: PolicyRules): ClientHook | null {
    const { policy } = this;
    const decide = crossing === "inward" ? policy.importInternal : policy.exportExternal;
    if (decide === undefined) return null;
    return withBorrowed(hook, (client) => toHook(decide.call(policy, client, before.policy, now.policy)));
  }
}

const known = new WeakMap<MembranePolicy, PolicyRules>();

const rulesOf = (policy: MembranePolicy): PolicyRules => {
  let rules = known.get(policy);
  if (rules === undefined) {
    rules = new PolicyRules(policy);
    known.set(policy, rules);
  }
  return rules;
};

/**
 * A capability for use outside of a membrane, to one inside: calls go through the policy, and capabilities in their params
 * and results cross the membrane in their turn, so that the two sides can never come to hold each other directly.
 *
 * A reference of its own, with the class of what it is given.
 */
export function membrane<C extends Client>(inside: C, policy: MembranePolicy): C;
export function membrane(inside: InterfaceServer, policy: MembranePolicy): InterfaceClient;
export function membrane(inside: Client | InterfaceServer, policy: MembranePolicy): Client {
  return clientLike(inside, cross(requireHook(inside), rulesOf(policy), "outward"));
}

/** The other way round: a capability for use inside of a membrane, to one outside. */
export function reverseMembrane<C extends Client>(outside: C, policy: MembranePolicy): C;
export function reverseMembrane(outside: InterfaceServer, policy: MembranePolicy): InterfaceClient;
export function reverseMembrane(outside: Client | InterfaceServer, policy: MembranePolicy): Client {
  return clientLike(outside, cross(requireHook(outside), rulesOf(policy), "inward"));
}

/** What can be copied through a membrane, and as what it comes out: the root of a message of its own. */
interface CopyThrough {
  <B extends StructBuilder>(from: StructBase & { copy(): B }, policy: MembranePolicy): B;
  (from: StructBase, policy: MembranePolicy): StructBuilder;
  <L extends List<unknown>>(from: L, policy: MembranePolicy): L;
  (from: AnyPointerReader, policy: MembranePolicy): AnyPointerBuilder;
}

const copyThrough =
  (crossing: Crossing): CopyThrough =>
  (from: StructBase | List<unknown> | AnyPointerReader, policy: MembranePolicy): never => {
    const { made, arena } = copyOf(from);
    crossAll(arena, rulesOf(policy), crossing);
    return made as never;
  };

const copyOf = (from: StructBase | List<unknown> | AnyPointerReader) => {
  if (from instanceof StructBase) {
    const made = copy(from);
    return { made, arena: made.$segment.arena };
  }
  const { rootSegment, arena } = new MessageBuilder();
  const made = new AnyPointerBuilder(rootSegment, 0);
  made.set(from);
  // A list whose type is not known cannot be set.
  return { made: from instanceof List ? kindOfList(from)?.get(rootSegment, 0) : made, arena };
};

/** A copy, for use inside of a membrane, of a struct, list or AnyPointer from outside: its capabilities have crossed. */
export const copyIntoMembrane: CopyThrough = copyThrough("inward");

/** A copy, for use outside of a membrane, of a struct, list or AnyPointer from inside: its capabilities have crossed. */
export const copyOutOfMembrane: CopyThrough = copyThrough("outward");
