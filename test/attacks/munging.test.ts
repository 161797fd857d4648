import { expect } from "chai";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { canonicalize } from "../../lib/serialization/canonical.ts";
import { type MessageOracle, messageOracle } from "../interop/message-oracle.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { readAs, words } from "../support/messages.ts";
import { orRefused } from "./hostile-messages.ts";

/**
 * CVE-2022-46149 (RUSTSEC-2022-0068): lists of pointers that are read as lists of structs let C++ and Rust read 512 KiB behind the
 * message. The same bytes as every type of list, in one segment and in several.
 */
const { Texts, Items, Numbers, Lists, Structs } = parseLoosely(`
  struct Texts { list @0 :List(Text); }
  struct Numbers { list @0 :List(UInt16); }
  struct Lists { list @0 :List(List(UInt8)); }
  struct Items { list @0 :List(Item); struct Item { text @0 :Text; number @1 :UInt32; more @2 :Text; } }
  struct Structs { list @0 :List(Large); struct Large { a @0 :UInt64; b @1 :UInt64; c @2 :Text; d @3 :Text; e @4 :Items; } }
`);
const types: Readonly<Record<string, Loose>> = { Texts, Items, Numbers, Lists, Structs };

const struct = (offset: number, data: number, pointers: number) => [offset << 2, data | (pointers << 16)] as const;
const list = (offset: number, size: number, count: number) => [(offset << 2) | 1, size | (count << 3)] as const;
const far = (segment: number, word: number) => [2 | (word << 3), segment] as const;

const messages: Readonly<Record<string, readonly Uint8Array[]>> = {
  "a list of pointers to text": [
    words(struct(0, 0, 1), list(0, 6, 2), list(1, 2, 3), list(1, 2, 3), [0x4241, 0], [0x4443, 0]),
  ],
  "a list of null pointers": [words(struct(0, 0, 1), list(0, 6, 2), [0, 0], [0, 0])],
  "a list of pointers to structs": [words(struct(0, 0, 1), list(0, 6, 1), struct(0, 1, 1), [7, 0], [0, 0])],
  "a list of pointers at the end of the message": [words(struct(0, 0, 1), list(0, 6, 1), list(-1, 2, 1))],
  "a list of pointers in another segment": [
    words(struct(0, 0, 1), far(1, 0)),
    words(list(0, 6, 1), list(0, 2, 3), [0x4241, 0]),
  ],
  "a list of far pointers": [words(struct(0, 0, 1), list(0, 6, 1), far(1, 0)), words(list(0, 2, 3), [0x4241, 0])],
  "a list of capability pointers": [words(struct(0, 0, 1), list(0, 6, 1), [3, 0])],
  "a list of bytes": [words(struct(0, 0, 1), list(0, 2, 5), [0x04030201, 0x05])],
  "a list of two-byte values": [words(struct(0, 0, 1), list(0, 3, 3), [0x00020001, 3])],
  "a list of four-byte values": [words(struct(0, 0, 1), list(0, 4, 3), [1, 2], [3, 0])],
  "a list of eight-byte values": [words(struct(0, 0, 1), list(0, 5, 1), [1, 2])],
  "a list of bits": [words(struct(0, 0, 1), list(0, 1, 9), [0x1ff, 0])],
  "a list of voids": [words(struct(0, 0, 1), list(0, 0, 3))],
  "a list of structs of data": [words(struct(0, 0, 1), list(0, 7, 2), struct(2, 1, 0), [1, 0], [2, 0])],
  "a list of structs of pointers": [
    words(struct(0, 0, 1), list(0, 7, 2), struct(2, 0, 1), list(1, 2, 3), [0, 0], [0x4241, 0]),
  ],
  "a list of structs of both": [
    words(struct(0, 0, 1), list(0, 7, 2), struct(1, 1, 1), [9, 0], list(0, 2, 3), [0x4241, 0]),
  ],
  "a list of structs without content": [words(struct(0, 0, 1), list(0, 7, 0), struct(3, 0, 0))],
};

describe("a list of pointers that is read as one of structs, or any as any", () => {
  let oracle: MessageOracle | undefined;
  before(async function () {
    oracle = await messageOracle.call(this);
  });
  after(() => oracle?.stop());

  for (const [what, segments] of Object.entries(messages)) {
    it(`reads, copies and canonicalises ${what} as C++ does`, async () => {
      const { schema } = Texts;
      const schemas = await oracle!.load([...schema.universe.nodes()]);
      for (const [name, type] of Object.entries(types)) {
        const there = await oracle!.read({ schemas, id: type.schema.id }, encodeFrame(segments));
        const here = {
          text: () => readAs(type, segments).toText(),
          canonical: () => Buffer.from(canonicalize(readAs(type, segments))).toString("hex"),
          copy: () => readAs(type, segments).copy().toText(),
        };
        for (const use of ["text", "canonical"] as const) {
          const outcome = there[use];
          const value = "value" in outcome ? outcome.value.toString(use === "text" ? "utf8" : "hex") : undefined;
          let ours: string | undefined;
          orRefused(() => {
            ours = here[use]();
          });
          expect(ours, `${use} as ${name}`).to.equal(value);
        }
        if ("value" in there.text) {
          const text = there.text.value.toString();
          // A copy is the same to a builder, which moves what is too small for its schema.
          if (!what.includes("bits")) expect(here.copy(), `copy as ${name}`).to.equal(text);
        }
      }
    });

    it(`gives ${what} to a setter of another message as a list of the same content, element by element`, () => {
      for (const type of Object.values(types)) {
        // Values that are smaller than the field they are read as show where their element gets the room of a struct.
        if (/bytes|two-byte|four-byte/.test(what) && type !== Numbers) continue;
        orRefused(() => {
          const reader = readAs(type, segments);
          const before = reader.toText();
          expect(type.newMessage({ list: reader.list }).toText()).to.equal(before);
          const built = type.newMessage();
          const target = built.init("list", reader.list.length);
          for (let i = 0; i < reader.list.length; i++) target.set(i, reader.list.at(i));
          expect(type.fromBytes(built.toBytes()).toText()).to.equal(before);
        });
      }
    });
  }
});
