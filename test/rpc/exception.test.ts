import { expect } from "chai";
import { CapnpError, type ErrorDetails } from "../../lib/errors.ts";
import { toError } from "../../lib/rpc/capability/thrown.ts";
import { ErrorReport, type Exception, fromException, toException } from "../../lib/rpc/exception.ts";

describe("an exception", () => {
  it("from a peer says that it is remote, once", () => {
    const once = fromException({ kind: "overloaded", reason: "too much" });
    expect(once).to.include({ code: "CAPNP_REMOTE", kind: "overloaded", message: "remote exception: too much" });
    expect(fromException(toException(once)).message).to.equal("remote exception: too much");
  });

  it("for a peer has the kind of a CapnpError; anything else failed", () => {
    expect(toException(new CapnpError("CAPNP_LIMIT", "full"))).to.deep.equal({ kind: "overloaded", reason: "full" });
    expect(toException(new TypeError("wrong"))).to.deep.equal({ kind: "failed", reason: "wrong" });
    expect(toException(new TypeError(""))).to.deep.equal({ kind: "failed", reason: "TypeError" });
    for (const thrown of ["text", 42, null, undefined, Symbol("s")]) {
      expect(toException(thrown)).to.deep.equal({ kind: "failed", reason: String(thrown) });
    }
    expect(toException(Object.create(null)).reason).to.include("object");
  });
});

describe("what peers are told", () => {
  const told = (error: unknown, exposeAll: boolean): Exception => {
    const hidden: unknown[] = [];
    const report = new ErrorReport(exposeAll, 100, (_id, withheld) => hidden.push(withheld));
    const exception = report.of(error);
    expect(hidden).to.deep.equal(exception.reason.startsWith("internal error ") ? [error] : []);
    return exception;
  };

  it("never comes to nothing, whatever was thrown", () => {
    const { proxy: revoked, revoke } = Proxy.revocable({}, {});
    revoke();
    const trap = (): never => {
      throw new Error("trap");
    };
    const opaque = new Proxy({}, { get: trap, getPrototypeOf: trap, has: trap });
    for (const thrown of [revoked, opaque]) {
      const error = toError(thrown);
      expect(error).to.be.instanceOf(Error);
      expect(told(error, true)).to.deep.equal({ kind: "failed", reason: "an object without a text was thrown" });
    }
  });

  it("withholds an error whose `expose` cannot be read", () => {
    const error = Object.defineProperty(new Error("secret"), "expose", {
      get: () => {
        throw new Error("trap");
      },
    });
    expect(told(error, false).reason).to.match(/^internal error /);
  });

  it("leaves out details that are none", () => {
    const details = { 1: new Uint8Array(8) } as unknown as ErrorDetails;
    const error = new CapnpError("CAPNP_CALL", "sold out", { details });
    expect(told(error, false)).to.deep.equal({ kind: "failed", reason: "sold out", details: new Map() });
  });
});
