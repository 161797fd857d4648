import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { fromException, toException } from "../../lib/rpc/exception.ts";

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
