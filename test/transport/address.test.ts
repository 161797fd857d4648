import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { type Address, formatAddress, parseAddress } from "../../lib/transport/address.ts";

describe("addresses", () => {
  const good: [text: string, address: Address, formatted?: string][] = [
    ["localhost:60000", { kind: "tcp", host: "localhost", port: 60000 }],
    ["127.0.0.1:0", { kind: "tcp", host: "127.0.0.1", port: 0 }],
    ["*:60000", { kind: "tcp", host: "*", port: 60000 }],
    ["[::1]:60000", { kind: "tcp", host: "::1", port: 60000 }],
    ["[fe80::1%eth0]:1", { kind: "tcp", host: "fe80::1%eth0", port: 1 }],
    ["tcp://example.com:65535", { kind: "tcp", host: "example.com", port: 65535 }, "example.com:65535"],
    ["tls://example.com:443", { kind: "tls", host: "example.com", port: 443 }],
    ["TLS://example.com:443/", { kind: "tls", host: "example.com", port: 443 }, "tls://example.com:443"],
    ["tls://[::1]:80", { kind: "tls", host: "::1", port: 80 }],
    ["tls://*:80", { kind: "tls", host: "*", port: 80 }],
    ["unix:/run/vat.sock", { kind: "unix", path: "/run/vat.sock" }],
    ["unix:vat.sock", { kind: "unix", path: "vat.sock" }],
    ["unix:///run/vat.sock", { kind: "unix", path: "/run/vat.sock" }, "unix:/run/vat.sock"],
    ["unix:1234", { kind: "unix", path: "1234" }],
  ];
  for (const [text, address, formatted = text] of good) {
    it(`reads ${text} and writes it back`, () => {
      expect(parseAddress(text)).to.deep.equal(address);
      expect(formatAddress(address)).to.equal(formatted);
      expect(parseAddress(formatted)).to.deep.equal(address);
    });
  }

  const bad: [text: string, why: RegExp][] = [
    ["", /port is missing/],
    ["localhost", /port is missing/],
    ["localhost:", /port is missing/],
    [":60000", /host is missing/],
    ["localhost:65536", /not a port/],
    ["localhost:-1", /not a port/],
    ["localhost:http", /not a port/],
    ["::1:60000", /brackets/],
    ["[::1]", /port is missing|cannot be told apart|brackets/],
    ["[nonsense]:1", /not a host/],
    ["a b:1", /not a host/],
    ["user@host:1", /not a host/],
    ["tls://host:1/path", /not a port/],
    ["http://host:80", /"http" is not a scheme/],
    ["unix:", /path is missing/],
    [`unix:/${"x".repeat(107)}`, /108 bytes/],
  ];
  for (const [text, why] of bad) {
    it(`refuses "${text.slice(0, 30)}" and names the forms`, () => {
      expect(() => parseAddress(text))
        .to.throw(CapnpError, why)
        .that.includes({ code: "CAPNP_ADDRESS", kind: "failed" });
      expect(() => parseAddress(text)).to.throw(/host:port, \*:port/);
    });
  }

  const webSockets: [text: string, address: object, written: string][] = [
    ["ws://host:1", { kind: "ws", host: "host", port: 1, path: "/" }, "ws://host:1/"],
    ["ws://host", { kind: "ws", host: "host", port: 80, path: "/" }, "ws://host:80/"],
    ["WSS://[::1]/a/b?c=d", { kind: "wss", host: "::1", port: 443, path: "/a/b?c=d" }, "wss://[::1]:443/a/b?c=d"],
    ["wss://[::1]:8/", { kind: "wss", host: "::1", port: 8, path: "/" }, "wss://[::1]:8/"],
    ["ws://*:0/rpc", { kind: "ws", host: "*", port: 0, path: "/rpc" }, "ws://*:0/rpc"],
    ["ws://host?x", { kind: "ws", host: "host", port: 80, path: "/?x" }, "ws://host:80/?x"],
  ];
  for (const [text, address, written] of webSockets) {
    it(`reads ${text}, with the port of its scheme where it has none`, () => {
      expect(parseAddress(text)).to.deep.equal(address);
      expect(formatAddress(parseAddress(text))).to.equal(written);
      expect(parseAddress(written)).to.deep.equal(address);
    });
  }

  it("refuses addresses of WebSockets that are none, and says why", () => {
    for (const [text, why] of [
      ["ws://", /port is missing|host is missing/],
      ["ws:///path", /missing/],
      ["ws://host:99999/", /not a port/],
      ["ws://host:x/", /not a port/],
      ["ws://::1/", /brackets/],
      ["ws://host/a#b", /fragment/],
      ["ws://host/a b", /percent-encoded/],
      ["ws://user@host/", /not a host/],
    ] as const) {
      expect(() => parseAddress(text), text).to.throw(CapnpError, why);
    }
  });

  it("reads abstract Unix sockets, whose name stands after a NUL", () => {
    expect(parseAddress("unix-abstract:vat")).to.deep.equal({ kind: "unix", path: "\0vat" });
    expect(formatAddress({ kind: "unix", path: "\0vat" })).to.equal("unix-abstract:vat");
    expect(() => parseAddress("unix-abstract:")).to.throw(CapnpError, "name is missing");
    expect(() => parseAddress(`unix-abstract:${"x".repeat(108)}`)).to.throw(CapnpError, "108 bytes");
  });
});
