import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { translateNodeError } from "../../lib/transport/node-error.ts";

const nodeError = (code: string, message = code): Error => Object.assign(new Error(message), { code });

describe("Node's errors", () => {
  it("become CapnpErrors that say what failed, where and why, and keep their cause", () => {
    const cause = nodeError("ECONNRESET", "read ECONNRESET");
    const error = translateNodeError(cause, "stream", "example.com:1");
    expect(error).to.include({ code: "CAPNP_DISCONNECTED", kind: "disconnected", cause });
    expect(error.message).to.contain("lost the connection with example.com:1").and.to.contain("reset");
  });

  it("have the code of what was being done", () => {
    const codes = (["open", "listen", "stream"] as const).map((operation) => {
      return translateNodeError(nodeError("EACCES"), operation, "x:1").code;
    });
    expect(codes).to.deep.equal(["CAPNP_CONNECT", "CAPNP_LISTEN", "CAPNP_DISCONNECTED"]);
  });

  it("come with advice where TLS certificates are the cause", () => {
    for (const [code, advice] of [
      ["SELF_SIGNED_CERT_IN_CHAIN", "tls: { ca:"],
      ["CERT_HAS_EXPIRED", "renew"],
      ["ERR_TLS_CERT_ALTNAME_INVALID", "servername"],
      ["ERR_SSL_WRONG_VERSION_NUMBER", "does not speak TLS"],
      ["ERR_SSL_SOMETHING_NEW", "ERR_SSL_SOMETHING_NEW"],
    ] as const) {
      const error = translateNodeError(nodeError(code), "open", "x:1");
      expect(error.code).to.equal("CAPNP_TLS");
      expect(error.message).to.contain(advice);
    }
  });

  it("stay on one line of a log", () => {
    const error = Object.assign(new Error("80EC:error:0A0000F4:unexpected message\n"), { code: "EPROTO" });
    expect(translateNodeError(error, "open", "x:1").message).to.match(/unexpected message \(EPROTO\)$/);
  });

  it("are listed, when each address of a host failed in its own way", () => {
    const both = new AggregateError([new Error("connect to ::1 failed"), new Error("connect to 127.0.0.1 failed")]);
    const error = translateNodeError(both, "open", "localhost:1");
    expect(error.message).to.contain("connect to ::1 failed; connect to 127.0.0.1 failed");
  });

  it("stay what they are when they are CapnpErrors already, and may be anything that was thrown", () => {
    const error = new CapnpError("CAPNP_LIMIT", "enough");
    expect(translateNodeError(error, "stream", "x:1")).to.equal(error);
    expect(translateNodeError("a string", "stream", "x:1").message).to.contain("a string");
    expect(translateNodeError(undefined, "open", "x:1").code).to.equal("CAPNP_CONNECT");
  });
});
